import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { Refusal } from '#base/model/refusals';
import { encode } from '#testing/grpc-client';
import { type ErrorReader, maskError } from './mask-error.ts';
import type { EngineReply } from './relay.ts';
import {
  OTHER,
  OTHER_ENGINE_ID,
  OWN,
  OWN_ENGINE_ID,
  other,
  own,
  refusal,
  snapshot,
} from './transform-fixture.test.ts';

const reader: ErrorReader = { namespace: own, snapshot, request: Buffer.from('the request of order-1') };

function error(status: number, message: string, details?: Uint8Array): EngineReply {
  return {
    status,
    message,
    frame: undefined,
    details: details === undefined ? undefined : Buffer.from(details).toString('base64'),
    headers: ['x-resource-exhausted-cause', 'RPS_LIMIT'],
  };
}

/** What stands inside google.rpc.Status.details: enough of it for what is tested here. */
function detail(type: string, value: Uint8Array): Uint8Array {
  return toBinary(AnySchema, create(AnySchema, { typeUrl: `type.googleapis.com/${type}`, value }));
}

test("T-039 the engine's ordinary errors pass with text, details and headers as they are", () => {
  const ordinary: readonly EngineReply[] = [
    error(3, 'Invalid RunId.'),
    error(
      5,
      'workflow not found for ID: order-1',
      detail('temporal.api.errordetails.v1.NotFoundFailure', Buffer.alloc(0)),
    ),
    error(5, `Namespace ${OWN} is not found.`),
    error(
      6,
      'Workflow execution is already running. WorkflowId: order-1, RunId: 0198a2b4-0000-7000-8000-000000000001.',
    ),
    error(8, 'namespace rate limit exceeded'),
    error(9, 'Context timeout is too short.'),
    error(13, 'something went wrong, please retry (1a2b3c4d)'),
    error(3, `no such id ${OWN_ENGINE_ID}`),
    error(14, 'Frontend is not healthy yet'),
  ];
  for (const reply of ordinary) assert.equal(maskError(reply, reader), reply, reply.message);
});

test('T-039 internals of the platform do not pass: the caller hears of an internal error, or to retry', () => {
  for (const [status, message, code] of [
    [13, 'boom', 'internal'],
    [2, 'unexpected: nil pointer', 'internal'],
    [3, 'bad at workflow_handler.go:512', 'internal'],
    [5, 'goroutine 12 [running]:', 'internal'],
    [5, 'see 10.2.3.4:7234', 'internal'],
    [
      14,
      'ListWorkflowExecutions operation failed.: SQL logic error: no such column: x (1)',
      'engine_unavailable',
    ],
    [14, 'GetTasks operation failed. Error: pq: x', 'engine_unavailable'],
    [5, 'see [fd00::1]:7234', 'internal'],
    [
      14,
      'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:7234"',
      'engine_unavailable',
    ],
    [5, 'x'.repeat(9000), 'internal'],
  ] as const) {
    assert.throws(() => maskError(error(status, message), reader), refusal(code), message);
  }
  const huge = error(5, 'not found', Buffer.alloc(60_000));
  assert.throws(() => maskError(huge, reader), refusal('internal'));
  const inDetails = error(
    5,
    'not found',
    detail('temporal.api.errordetails.v1.NotFoundFailure', Buffer.from('10.2.3.4:7234')),
  );
  assert.throws(() => maskError(inDetails, reader), refusal('internal'));
});

test("T-039 another tenant's namespace does not pass, by name, by incarnation or by the engine's id, in text or details", () => {
  for (const word of [
    OTHER,
    other.uuid,
    OTHER_ENGINE_ID,
    `${OTHER}.gatehouse.test`,
    `a.${OTHER}`,
    `Namespace "${OTHER}",`,
  ]) {
    assert.throws(() => maskError(error(5, `see ${word} now`), reader), refusal('internal'), word);
    const details = detail('temporal.api.errordetails.v1.NamespaceNotFoundFailure', Buffer.from(word));
    assert.throws(() => maskError(error(5, 'see details', details), reader), refusal('internal'), word);
  }
});

test('T-039 what a namespace is told of its own words does not depend on whether another namespace has that name', () => {
  for (const word of [OTHER, 'nobody.other1', other.uuid, '10.0.0.1:80', 'main.go:12', 'dial tcp']) {
    const asked = { ...reader, request: Buffer.from(`workflow ${word}`) };
    const reply = error(5, `workflow not found for ID: ${word}`);
    assert.equal(maskError(reply, asked), reply, word);
  }
});

test('T-039 a caller cannot unmask a fault of the platform by saying its words first', () => {
  const asked = { ...reader, request: Buffer.from('SQL logic error no such column dial tcp 10.2.3.4:7234') };
  for (const message of [
    'x operation failed.: SQL logic error: no such column: y',
    'dial tcp 10.2.3.4:7234',
  ]) {
    assert.throws(() => maskError(error(14, message), asked), refusal('engine_unavailable'), message);
  }
});

test("T-039 the words of a tenant's own Worker pass, stack trace and all", () => {
  const failure = encode('failure.v1.Failure', {
    message: 'dial tcp 10.0.0.1:5432',
    stackTrace: 'main.go:12\ngoroutine 1',
  });
  const details = detail('temporal.api.errordetails.v1.QueryFailedFailure', failure);
  const reply = error(3, `dial tcp 10.0.0.1:5432 ${OTHER}`, details);
  assert.equal(maskError(reply, reader), reply);
});

test("a refusal of the gateway's own token is never passed on: a Worker would give up for good", () => {
  for (const status of [7, 16]) {
    assert.throws(
      () => maskError(error(status, 'Request unauthorized.'), reader),
      (thrown) =>
        thrown instanceof Refusal && thrown.code === 'engine_refused_gateway' && thrown.grpcStatus === 14,
    );
  }
});

test('T-039 what is masked is kept for the log, and a long hostile text costs no more than its length', () => {
  assert.throws(
    () => maskError(error(13, 'boom at 10.2.3.4:7234'), reader),
    (thrown) =>
      thrown instanceof Refusal &&
      thrown.message === 'internal error' &&
      /boom at 10/.test(thrown.detail ?? ''),
  );
  const started = performance.now();
  for (const letter of ['a', '.', '1', '[', '-', 'a.', '1.']) {
    maskError(error(5, 'not found', Buffer.from(letter.repeat(40_000 / letter.length))), reader);
  }
  assert.ok(performance.now() - started < 2000);
});
