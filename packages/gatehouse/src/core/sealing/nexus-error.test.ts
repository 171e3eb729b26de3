import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { createNamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { messageType } from '#base/proto/api-registry';
import { MessageScanner } from '#base/proto/scan-message';
import { GRPC_PREFIX_BYTES, spliceFrame } from '#base/proto/splice-message';
import { methodTables, requestTables, responseTables } from '#base/proto/wire-tables';
import { refusalOf } from './keys-fixture.test.ts';
import { sealNexusError } from './nexus-error.ts';
import { type NexusFailure, temporalFailureOf } from './nexus-failure.ts';
import { openMessage } from './open-message.ts';
import { type SealRules, sealMessage } from './seal-message.ts';
import { SEALED_ENCODING } from './sealed-payload.ts';

const WORD = 'Kanarienvogel';
const FAILURE = 'temporal.api.failure.v1.Failure';
const PATH = '/temporal.api.workflowservice.v1.WorkflowService/';

const keyring = createNamespaceKeyring({ region: 'aws-local', account: 'local', namespaceUuid: 'bills' }, [
  { id: '0123456789abcdef', purpose: 'payload', createdAtMs: 1, key: new Secret(randomBytes(32)) },
]);
const rules: SealRules = { sealing: true, keyring, sealedAttributes: [] };

type Told = NexusFailure & JsonObject;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const payload = (data: string, encoding = 'json/plain') => ({
  metadata: { encoding: base64(encoding) },
  data: base64(data),
});

/** A request of a Nexus handler as the engine gets it, decoded. */
function sealedRequest(method: string, request: JsonObject, by: SealRules = rules): JsonValue {
  const table = methodTables.get(PATH + method)?.request;
  const type = messageType(`temporal.api.workflowservice.v1.${method}Request`);
  const scanner = new MessageScanner(requestTables, { reply: false });
  assert.ok(table && scanner.scan(table, toBinary(type, fromJson(type, request))), scanner.faultAt);
  const sealed = spliceFrame(scanner, sealMessage(scanner, by)).subarray(GRPC_PREFIX_BYTES);
  assert.ok(!sealed.includes(WORD) && !sealed.includes(base64(WORD).slice(0, 16)), 'a word in the clear');
  return toJson(type, fromBinary(type, sealed));
}

const asHandlerError = (failure: Told, by?: SealRules): JsonValue =>
  sealedRequest('RespondNexusTaskFailed', { error: { errorType: 'INTERNAL', failure } }, by);
const asOperationError = (operationState: string, failure: Told, by?: SealRules): JsonValue =>
  sealedRequest(
    'RespondNexusTaskCompleted',
    { response: { startOperation: { operationError: { operationState, failure } } } },
    by,
  );

/** What the engine makes of a failure whose type says that it is one of Temporal's, and the gateway of that. */
function openedByCaller(failure: NexusFailure): JsonValue {
  const { metadata, details = '', message = '', stackTrace } = failure;
  assert.deepEqual([metadata, stackTrace], [{ type: FAILURE }, undefined]);
  const type = messageType(FAILURE);
  const json = JSON.parse(Buffer.from(details, 'base64').toString()) as JsonObject;
  const stored = toBinary(type, fromJson(type, { ...json, message }));
  const table = responseTables.messages.find(({ name }) => name === FAILURE);
  const scanner = new MessageScanner(responseTables, { reply: true });
  assert.ok(table && scanner.scan(table, stored));
  const edits = openMessage(scanner, { strict: true, keyring, peer: () => undefined });
  return toJson(type, fromBinary(type, spliceFrame(scanner, edits).subarray(GRPC_PREFIX_BYTES)));
}

const temporal = (failure: NexusFailure, canceled = false): JsonValue => {
  const type = messageType(FAILURE);
  return toJson(type, fromBinary(type, temporalFailureOf(failure, canceled)));
};

const text = fc.constantFrom('', 'm', `said ${WORD}`);
const details = fc.oneof(
  fc.constant(''),
  fc.json().map(base64),
  fc.record({ state: fc.constantFrom('failed', 'canceled') }).map((value) => base64(JSON.stringify(value))),
  fc
    .record({ type: fc.constantFrom('', 'NOT_FOUND'), retryableOverride: fc.boolean() })
    .map((value) => base64(JSON.stringify(value))),
  text.map((said) =>
    base64(
      JSON.stringify({
        stackTrace: said,
        source: 'go',
        encodedAttributes: payload(said),
        applicationFailureInfo: { type: 'Refused', details: { payloads: [payload(said)] } },
        cause: { message: said, timeoutFailureInfo: { lastHeartbeatDetails: { payloads: [payload(said)] } } },
      }),
    ),
  ),
);
const metadata = fc.oneof(
  fc.constantFrom({}, { type: FAILURE }, { type: 'nexus.OperationError' }, { type: 'nexus.HandlerError' }),
  fc.dictionary(fc.constantFrom('type', 'kind', 'note'), text, { maxKeys: 3 }),
);
const { failure: anyFailure } = fc.letrec<{ failure: Told }>((tie) => ({
  failure: fc.record(
    {
      message: text,
      stackTrace: text,
      metadata,
      details,
      cause: fc.option(tie('failure'), { nil: undefined, depthSize: 'small' }),
    },
    { noNullPrototype: true },
  ) as fc.Arbitrary<Told>,
}));
/** Without fields that JSON does not know. */
const plain = (failure: Told): Told => JSON.parse(JSON.stringify(failure)) as Told;

test('T-080 no Nexus failure of the older form reaches the engine with its words, and its caller reads all of it', () => {
  const property = fc.property(anyFailure, (drawn) => {
    const failure = plain(drawn);
    const request = asHandlerError(failure) as unknown as FailedJson;
    assert.deepEqual(openedByCaller(request.error.failure), temporal(failure));
    for (const state of ['failed', 'canceled']) {
      const completed = asOperationError(state, failure) as unknown as CompletedJson;
      const { operationState, failure: sent } = completed.response.startOperation.operationError;
      assert.equal(operationState, state);
      assert.deepEqual(openedByCaller(sent), temporal(failure, state === 'canceled'));
    }
  });
  fc.assert(property, { numRuns: 150, endOnFailure: true });
});

interface ApplicationFailureJson {
  readonly applicationFailureInfo: {
    readonly type: string;
    readonly details: { readonly payloads: readonly { readonly data: string }[] };
  };
}

interface FailedJson {
  readonly error: { readonly failure: NexusFailure };
}

interface CompletedJson {
  readonly response: {
    readonly startOperation: {
      readonly operationError: { readonly operationState: string; readonly failure: NexusFailure };
    };
  };
}

test('a failure of a kind that nobody knows is told with its metadata and details, digit for digit', () => {
  const failure = {
    message: 'm',
    metadata: { z: '1', a: '2' },
    details: base64('{"n":12345678901234567890.10}'),
    cause: { message: 'c', details: base64('[1]') },
  };
  const { applicationFailureInfo } = temporal(failure) as unknown as ApplicationFailureJson;
  assert.equal(applicationFailureInfo.type, 'NexusFailure');
  assert.equal(
    Buffer.from(applicationFailureInfo.details.payloads[0]?.data ?? '', 'base64').toString(),
    '{"metadata":{"a":"2","z":"1"},"details":{"n":12345678901234567890.10},"cause":{"message":"c","details":[1]}}',
  );
});

test('details that are not what their type says are told as of no known kind', () => {
  for (const [type, told] of [
    [FAILURE, '7'],
    [FAILURE, '{"cause":7}'],
    ['nexus.HandlerError', '7'],
    ['nexus.HandlerError', '{"encodedAttributes":"!!"}'],
    ['nexus.OperationError', '[]'],
  ] as const) {
    const { applicationFailureInfo } = temporal({ metadata: { type }, details: base64(told) }) as JsonObject;
    assert.deepEqual((applicationFailureInfo as JsonObject)['type'], 'NexusFailure', `${type} ${told}`);
  }
});

test('details that are no JSON are refused, as the engine refuses them', () => {
  for (const failure of [{ details: base64('{') }, { message: 'm', cause: { details: base64('nope') } }]) {
    assert.throws(() => asHandlerError(failure), refusalOf('message_malformed'));
  }
});

test('with sealing off a Nexus failure stays byte for byte, unless a ciphertext stands in it', () => {
  const off = { ...rules, sealing: false };
  const type = messageType('temporal.api.nexus.v1.HandlerError');
  const failure = { message: 'm', metadata: { kind: 'x' }, details: base64('{"b":[1, 2]}') };
  const bytes = toBinary(type, fromJson(type, { errorType: 'INTERNAL', failure }));
  assert.equal(
    sealNexusError(bytes, 'handler', () => undefined),
    undefined,
  );
  assert.deepEqual(asHandlerError(failure, off), { error: { errorType: 'INTERNAL', failure } });

  const box = payload('a ciphertext', SEALED_ENCODING);
  const attributes = Buffer.from(JSON.stringify(box)).toString('base64url');
  const hidden: readonly Told[] = [
    { metadata: { type: FAILURE }, details: base64(JSON.stringify({ encodedAttributes: box })) },
    {
      metadata: { type: FAILURE },
      details: base64(JSON.stringify({ canceledFailureInfo: { details: { payloads: [box] } } })),
    },
    {
      metadata: { type: 'nexus.HandlerError' },
      details: base64(JSON.stringify({ encodedAttributes: attributes })),
    },
  ];
  for (const told of [...hidden, ...hidden.map((cause) => ({ message: 'outer', cause }))]) {
    assert.notDeepEqual(asHandlerError(told, off), { error: { errorType: 'INTERNAL', failure: told } });
    assert.throws(() => asHandlerError(told, { ...off, keyring: undefined }), refusalOf('payload_reserved'));
  }
});

test('an error without a failure is left alone', () => {
  assert.deepEqual(sealedRequest('RespondNexusTaskFailed', { error: { errorType: 'NOT_FOUND' } }), {
    error: { errorType: 'NOT_FOUND' },
  });
});
