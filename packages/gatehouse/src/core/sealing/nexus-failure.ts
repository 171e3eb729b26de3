import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';

/** A nexus.v1.Failure, in its JSON form: `details` is base64 of JSON that says what `metadata.type` names. */
export interface NexusFailure {
  readonly message?: string;
  readonly stackTrace?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly details?: string;
  readonly cause?: NexusFailure;
}

/**
 * The scanner has bounded how deep a failure is nested, by more levels than the library takes by itself; what is made of
 * it has a few more, and is scanned again.
 */
export const DEPTH = { recursionLimit: 250 } as const;

const FAILURE_TYPE = 'temporal.api.failure.v1.Failure';

/**
 * The failure.v1.Failure, encoded, that the engine would make of a nexus.v1.Failure for the caller's history
 * (the engine's common/nexus/failure.go). Where the engine could not, it is told as one of a type that nobody knows.
 */
export function temporalFailureOf(failure: NexusFailure, canceled: boolean): Uint8Array {
  const converted = convert(failure);
  const { message = '', stackTrace = '', cause } = converted;
  // The engine makes this of every failure of a canceled operation, and drops what else it holds.
  const told =
    canceled && converted['canceledFailureInfo'] === undefined
      ? { message, stackTrace, canceledFailureInfo: {}, ...(cause === undefined ? {} : { cause }) }
      : converted;
  const type = messageType(FAILURE_TYPE);
  return toBinary(type, fromJson(type, told, DEPTH));
}

/** The nexus.v1.Failure that the engine takes for exactly this failure.v1.Failure, whose words are sealed. */
export function nexusFailureOf(sealed: Uint8Array): JsonObject {
  const type = messageType(FAILURE_TYPE);
  const { message = '', ...details } = asObject(toJson(type, fromBinary(type, sealed, DEPTH)));
  return {
    message,
    metadata: { type: FAILURE_TYPE },
    details: Buffer.from(JSON.stringify(details)).toString('base64'),
  };
}

function convert(failure: NexusFailure): JsonObject {
  const { message = '', stackTrace = '', cause } = failure;
  const converted = { ...kindOf(failure), message, stackTrace };
  return cause === undefined ? converted : { ...converted, cause: convert(cause) };
}

/** All of the failure but its words and its cause. */
function kindOf(failure: NexusFailure): JsonObject {
  const { metadata = {} } = failure;
  if (Object.keys(metadata).length === 0) return textOf(failure) === '' ? {} : unknownKind(failure);
  try {
    switch (metadata['type']) {
      case FAILURE_TYPE:
        return temporalKind(failure);
      case 'nexus.OperationError':
        return operationErrorKind(detailsOf(failure));
      case 'nexus.HandlerError':
        return handlerErrorKind(detailsOf(failure));
      default:
        return unknownKind(failure);
    }
  } catch {
    // Details that are not what their type says: the engine would give the caller no failure at all.
    return unknownKind(failure);
  }
}

/** SDKs put a whole failure there, causes and all, without its message. */
function temporalKind(failure: NexusFailure): JsonObject {
  const type = messageType(FAILURE_TYPE);
  return asObject(toJson(type, fromJson(type, detailsOf(failure), { ...DEPTH, ignoreUnknownFields: true })));
}

function operationErrorKind({ state }: JsonObject): JsonObject {
  return state === 'canceled'
    ? { canceledFailureInfo: {} }
    : { applicationFailureInfo: { type: 'OperationError', nonRetryable: true } };
}

function handlerErrorKind({ type, retryableOverride, encodedAttributes }: JsonObject): JsonObject {
  const behavior = retryableOverride === true ? 'RETRYABLE' : 'NON_RETRYABLE';
  const nexusHandlerFailureInfo = {
    type: typeof type === 'string' ? type : '',
    ...(typeof retryableOverride === 'boolean'
      ? { retryBehavior: `NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_${behavior}` }
      : {}),
  };
  if (typeof encodedAttributes !== 'string' || encodedAttributes === '') return { nexusHandlerFailureInfo };
  const payload = messageType('temporal.api.common.v1.Payload');
  const json: JsonValue = JSON.parse(Buffer.from(encodedAttributes, 'base64url').toString('utf8'));
  return { nexusHandlerFailureInfo, encodedAttributes: toJson(payload, fromJson(payload, json)) };
}

/** What is no failure of Temporal's is kept for the caller as it is, but for the words. */
function unknownKind({ message: _message, stackTrace: _stackTrace, ...rest }: NexusFailure): JsonObject {
  const data = Buffer.from(jsonOf(rest)).toString('base64');
  const encoding = Buffer.from('json/plain').toString('base64');
  return {
    applicationFailureInfo: {
      type: 'NexusFailure',
      details: { payloads: [{ metadata: { encoding }, data }] },
    },
  };
}

/** As the engine writes it. Details stay as they were written: parsing would round their numbers. */
function jsonOf(failure: NexusFailure): string {
  const { message = '', stackTrace = '', metadata = {}, cause } = failure;
  const keys = Object.keys(metadata).sort();
  const sorted = Object.fromEntries(keys.map((key) => [key, metadata[key] ?? '']));
  const fields = [
    message === '' ? '' : `"message":${JSON.stringify(message)}`,
    stackTrace === '' ? '' : `"stackTrace":${JSON.stringify(stackTrace)}`,
    keys.length === 0 ? '' : `"metadata":${JSON.stringify(sorted)}`,
    textOf(failure) === '' ? '' : `"details":${textOf(failure)}`,
    cause === undefined ? '' : `"cause":${jsonOf(cause)}`,
  ];
  return `{${fields.filter((field) => field !== '').join(',')}}`;
}

function textOf({ details = '' }: NexusFailure): string {
  return Buffer.from(details, 'base64').toString('utf8');
}

/** @throws where they are no JSON object. */
function detailsOf(failure: NexusFailure): JsonObject {
  return asObject(JSON.parse(textOf(failure)));
}

function asObject(value: JsonValue): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no object');
  return value;
}
