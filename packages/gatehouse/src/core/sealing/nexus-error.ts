import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf';
import { refuse } from '#base/model/refusals';
import { messageType } from '#base/proto/api-registry';
import { DEPTH, type NexusFailure, nexusFailureOf, temporalFailureOf } from './nexus-failure.ts';

/** What a Nexus handler answers where an operation did not succeed, and where the handler itself failed. */
export type NexusErrorKind = 'operation' | 'handler';

const TYPES: Readonly<Record<NexusErrorKind, string>> = {
  operation: 'temporal.api.nexus.v1.UnsuccessfulOperationError',
  handler: 'temporal.api.nexus.v1.HandlerError',
};

/**
 * A Nexus error in the form of older SDKs, its words and details sealed so that they outlive what the engine makes
 * of it for the caller's history: there it is the failure that it would have been, and opens as any other.
 * @param seal seals a failure.v1.Failure; undefined where it is to stay as it is.
 * @returns undefined where nothing is to be changed.
 * @throws Refusal `message_malformed` where details are no JSON, which the engine does not take either.
 */
export function sealNexusError(
  content: Uint8Array,
  kind: NexusErrorKind,
  seal: (failure: Uint8Array) => Uint8Array | undefined,
): Uint8Array | undefined {
  const type = messageType(TYPES[kind]);
  const { failure, ...rest } = toJson(type, fromBinary(type, content, DEPTH)) as ErrorJson;
  if (failure === undefined) return undefined;
  if (!hasJsonDetails(failure)) throw refuse('message_malformed', { publicDetail: NOT_JSON });
  const canceled = kind === 'operation' && rest['operationState'] === 'canceled';
  const sealed = seal(temporalFailureOf(failure, canceled));
  if (sealed === undefined) return undefined;
  return toBinary(type, fromJson(type, { ...rest, failure: nexusFailureOf(sealed) }));
}

type ErrorJson = JsonObject & { readonly failure?: NexusFailure };

const NOT_JSON = 'the details of a Nexus failure are not JSON';

function hasJsonDetails({ details, cause }: NexusFailure): boolean {
  if (cause !== undefined && !hasJsonDetails(cause)) return false;
  if (details === undefined || details === '') return true;
  try {
    JSON.parse(Buffer.from(details, 'base64').toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
