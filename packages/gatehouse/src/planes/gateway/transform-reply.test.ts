import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Role } from '#base/proto/role';
import { methodTables, responseTables } from '#base/proto/wire-tables';
import { accessOf } from '#core/access/method-access';
import { type TokenKind, unbindToken } from '#core/tokens/token-binding';
import { decode, encode } from '#testing/grpc-client';
import { noKeys } from '#testing/no-sealing';
import { placesOf } from '#testing/role-places';
import type { PermittedCall } from './identified-call.ts';
import {
  frameOf,
  keyring,
  OTHER,
  OTHER_ENGINE_ID,
  OWN,
  OWN_ENGINE_ID,
  own,
  permitted,
  refusal,
  settings,
  type Whole,
  whole,
} from './transform-fixture.test.ts';
import { type IncomingReply, transformReply } from './transform-reply.ts';
import { type OutgoingRequest, transformRequest } from './transform-request.ts';

const relayed = [...methodTables.keys()].filter((path) =>
  /^(?:read|write|nexus)$/.test(accessOf(path) ?? ''),
);
const asked: OutgoingRequest = { frame: Buffer.alloc(5), question: 'q', aboutReserved: false, note: '' };

function receive(
  call: PermittedCall,
  message: Uint8Array,
  request: OutgoingRequest = asked,
): Whole<IncomingReply> {
  return whole(transformReply(call, request, frameOf(message), settings, noKeys));
}

/** The bytes of a token of the engine: `namespace_id` = 1, `workflow_id` = 2. */
function engineToken(namespaceId: string): Uint8Array {
  return encode('common.v1.WorkflowExecution', { workflowId: namespaceId, runId: 'orders' });
}

test("T-048a a reply with another namespace's name or id in it, at any place, is withheld", () => {
  let count = 0;
  for (const path of relayed) {
    const call = permitted(path, own, true);
    for (const [role, mine, foreign] of [
      [Role.namespace, OWN, OTHER],
      [Role.namespaceId, OWN_ENGINE_ID, OTHER_ENGINE_ID],
    ] as const) {
      for (const place of placesOf(responseTables, call.method.response, role)) {
        count += 1;
        receive(call, place.message(mine));
        receive(call, place.message(''));
        assert.throws(() => receive(call, place.message(foreign)), refusal('reply_withheld'), place.name);
        assert.throws(() => receive(call, place.message(`${mine}x`)), refusal('reply_withheld'), place.name);
      }
    }
  }
  assert.ok(count > 40, `${count} places`);
});

test('T-048a a task whose token is of another namespace is withheld, whatever else the reply says', () => {
  let count = 0;
  for (const path of relayed) {
    const call = permitted(path, own, true);
    for (const role of [Role.workflowTaskToken, Role.activityTaskToken, Role.nexusTaskToken]) {
      for (const place of placesOf(responseTables, call.method.response, role)) {
        count += 1;
        receive(call, place.message(engineToken(OWN_ENGINE_ID)));
        for (const foreign of [
          engineToken(OTHER_ENGINE_ID),
          engineToken(''),
          Buffer.from('?'),
          Buffer.alloc(9, 0xff),
        ]) {
          assert.throws(() => receive(call, place.message(foreign)), refusal('reply_withheld'), place.name);
        }
      }
    }
  }
  assert.ok(count >= 6, `${count} places`);
});

test('T-043 every token leaves bound to its namespace and its kind, also the ones of eager tasks', () => {
  const kinds: readonly (readonly [number, TokenKind])[] = [
    [Role.workflowTaskToken, 'workflow-task'],
    [Role.activityTaskToken, 'activity-task'],
    [Role.nexusTaskToken, 'nexus-task'],
  ];
  const nested = new Set<string>();
  for (const path of relayed) {
    const call = permitted(path, own, true);
    for (const [role, kind] of kinds) {
      for (const place of placesOf(responseTables, call.method.response, role)) {
        nested.add(call.method.name);
        const token = engineToken(OWN_ENGINE_ID);
        const { frame } = receive(call, place.message(token));
        // The token is the last thing in the reply, and the only one.
        const bound = frame.subarray(frame.length - token.length - 20);
        const scope = { namespaceUuid: own.uuid, kind, question: '' };
        assert.deepEqual(Buffer.from(unbindToken(keyring, scope, bound)), Buffer.from(token), place.name);
      }
    }
  }
  for (const method of ['StartWorkflowExecution', 'RespondWorkflowTaskCompleted', 'ExecuteMultiOperation']) {
    assert.ok(nested.has(method), method);
  }
});

test('an empty token means that there is none, and stays empty', () => {
  const frame = frameOf(Buffer.from([0x0a, 0x00]));
  assert.equal(
    transformReply(permitted('PollActivityTaskQueue'), asked, frame, settings, noKeys).frame,
    frame,
  );
});

test("T-044b a workflow task's page token goes on with the history of that run, and with nothing else", () => {
  const execution = { workflowId: 'orders-1', runId: 'run-1' };
  const poll = encode('workflowservice.v1.PollWorkflowTaskQueueResponse', {
    taskToken: engineToken(OWN_ENGINE_ID),
    workflowExecution: execution,
    nextPageToken: Buffer.from('engine'),
  });
  for (const [method, message] of [
    ['PollWorkflowTaskQueue', poll],
    ['StartWorkflowExecution', nest('StartWorkflowExecutionResponse', 'eagerWorkflowTask', poll)],
    ['RespondWorkflowTaskCompleted', nest('RespondWorkflowTaskCompletedResponse', 'workflowTask', poll)],
  ] as const) {
    const reply = decode(
      `workflowservice.v1.${method}Response`,
      receive(permitted(method), message).frame.subarray(5),
    );
    const { nextPageToken } = reply.eagerWorkflowTask ?? reply.workflowTask ?? reply;
    const history = (runId: string): Uint8Array =>
      encode('workflowservice.v1.GetWorkflowExecutionHistoryRequest', {
        execution: { ...execution, runId },
        nextPageToken,
      });
    const call = permitted('GetWorkflowExecutionHistory');
    assert.ok(
      whole(transformRequest(call, frameOf(history('run-1')), settings, undefined)).frame.includes('engine'),
    );
    assert.throws(
      () => transformRequest(call, frameOf(history('run-2')), settings, undefined),
      refusal('token_foreign'),
    );
  }
});

function nest(message: string, field: string, task: Uint8Array): Uint8Array {
  return encode(`workflowservice.v1.${message}`, {
    [field]: decode('workflowservice.v1.PollWorkflowTaskQueueResponse', task),
  });
}

test("T-101c a task of the engine's own is never handed over: the poll is answered as if there was none", () => {
  const task = {
    taskToken: engineToken(OWN_ENGINE_ID),
    workflowExecution: { workflowId: 'orders', runId: 'r' },
  };
  const queue = (name: string, normalName = '') => ({ workflowExecutionTaskQueue: { name, normalName } });
  const system: readonly (readonly [string, Record<string, unknown>])[] = [
    ['PollWorkflowTaskQueue', { workflowExecution: { workflowId: 'temporal-sys-scheduler:daily' } }],
    ['PollWorkflowTaskQueue', { workflowType: { name: 'temporal-sys-batch-workflow-protobuf' } }],
    ['PollWorkflowTaskQueue', queue('temporal-sys-per-ns-tq')],
    ['PollWorkflowTaskQueue', queue('host:uuid', 'temporal-sys-per-ns-tq')],
    ['PollWorkflowTaskQueue', queue('/_sys/temporal-sys-per-ns-tq/1')],
    ['PollActivityTaskQueue', { workflowExecution: { workflowId: 'temporal-sys-scheduler:daily' } }],
    ['PollActivityTaskQueue', { workflowType: { name: 'temporal-sys-batch-workflow' } }],
  ];
  for (const [method, fields] of system) {
    const reply = encode(`workflowservice.v1.${method}Response`, { ...task, ...fields });
    const { frame, withheldTask } = receive(permitted(method), reply);
    assert.deepEqual([frame.length, withheldTask], [5, true], method);
  }
  const own = encode('workflowservice.v1.PollWorkflowTaskQueueResponse', { ...task, ...queue('orders') });
  assert.equal(receive(permitted('PollWorkflowTaskQueue'), own).withheldTask, false);
});

test("T-101c sticky queues of the engine's own worker are hidden in histories, also in that of a batch job", () => {
  const reply = (name: string, normalName: string): Uint8Array =>
    encode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', {
      history: {
        events: [
          {
            attributes: {
              case: 'workflowTaskScheduledEventAttributes',
              value: { taskQueue: { name, kind: 2, normalName } },
            },
          },
        ],
      },
    });
  for (const method of ['GetWorkflowExecutionHistory', 'GetWorkflowExecutionHistoryReverse']) {
    const hidden = receive(permitted(method), reply('engine-host:uuid', 'temporal-sys-per-ns-tq')).frame;
    assert.ok(!hidden.includes('engine-host'));
    assert.ok(hidden.includes('temporal-sys-hidden'));
    const reserved = receive(permitted(method), reply('engine-host:uuid', ''), {
      ...asked,
      aboutReserved: true,
    }).frame;
    assert.ok(!reserved.includes('engine-host'));
    const mine = frameOf(reply('my-host:uuid', 'orders'));
    assert.equal(transformReply(permitted(method), asked, mine, settings, noKeys).frame, mine);
  }
});

test('T-039 host names of the platform are blanked', () => {
  const partition = [{ key: 'orders', ownerHostName: '10.1.2.3:7235' }];
  const message = encode('workflowservice.v1.ListTaskQueuePartitionsResponse', {
    workflowTaskQueuePartitions: partition,
  });
  const { frame } = receive(permitted('ListTaskQueuePartitions'), message);
  const reply = decode('workflowservice.v1.ListTaskQueuePartitionsResponse', frame.subarray(5));
  assert.deepEqual(
    reply.workflowTaskQueuePartitions.map((each: { key: string; ownerHostName: string }) => [
      each.key,
      each.ownerHostName,
    ]),
    [['orders', '']],
  );
});

test('T-048a raw history, which nobody has looked into, is withheld', () => {
  const raw = encode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', {
    rawHistory: [{ data: Buffer.from('x') }],
  });
  assert.throws(() => receive(permitted('GetWorkflowExecutionHistory'), raw), refusal('reply_withheld'));
});

test('T-048a bytes that are not a reply of this method are withheld', () => {
  for (const bytes of [Buffer.from([0x0a, 0x7f]), Buffer.from([0x07]), Buffer.alloc(3, 0xff)]) {
    assert.throws(() => receive(permitted('PollActivityTaskQueue'), bytes), refusal('reply_withheld'));
  }
});
