import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { Refusal } from '#base/model/refusals';
import { engineApiRegistry, messageType } from '#base/proto/api-registry';
import { findHttpRoute, type RouteMatch } from './http-routes.ts';
import { parseRequestTarget } from './request-target.ts';
import { replyText, requestFrame } from './transcode.ts';

const registry = engineApiRegistry();
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = (json: string) => ({ metadata: { encoding: base64('json/plain') }, data: base64(json) });
const START = '/namespaces/orders.acme1/workflows/w1';

test('path, body and payload shorthand become one request', () => {
  assert.deepEqual(
    post(START, {
      workflow_type: { name: 'Order' },
      taskQueue: { name: 'q', kind: 'Normal' },
      input: [1, 'two', null, { three: 3 }],
      workflowIdReusePolicy: 'WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE',
      workflowRunTimeout: '10s',
      memo: { fields: { note: 'hello', __proto__x: 1 } },
    }),
    {
      namespace: 'orders.acme1',
      workflowId: 'w1',
      workflowType: { name: 'Order' },
      taskQueue: { name: 'q', kind: 'TASK_QUEUE_KIND_NORMAL' },
      input: {
        payloads: [
          plain('1'),
          plain('"two"'),
          { metadata: { encoding: base64('binary/null') } },
          plain('{"three":3}'),
        ],
      },
      workflowIdReusePolicy: 'WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE',
      workflowRunTimeout: '10s',
      memo: { fields: { note: plain('"hello"'), __proto__x: plain('1') } },
    },
  );
});

test('without shorthand a plain value is no payload', () => {
  assert.throws(() => post(START, { input: ['x'] }, false), refusedAs('input_invalid'));
  assert.deepEqual(post(START, { input: { payloads: [plain('1')] } }, false)['input'], {
    payloads: [plain('1')],
  });
});

test('the path wins over the body, deep in the message too', () => {
  const request = post('/namespaces/orders.acme1/workflows/w1/signal/go', {
    workflowExecution: { workflowId: 'w2', runId: 'r' },
    signalName: 'stop',
  });
  assert.deepEqual(request['workflowExecution'], { workflowId: 'w1', runId: 'r' });
  assert.equal(request['signalName'], 'go');
});

test('T-023 a body that names another namespace than the path is refused', () => {
  assert.throws(() => post(START, { namespace: 'billing.acme2' }), refusedAs('namespace_mismatch'));
  assert.equal(post(START, { namespace: 'orders.acme1' })['namespace'], 'orders.acme1');
});

const refused: readonly (readonly [string, unknown, string])[] = [
  ['an unknown field', { workflowTypo: 1 }, 'field_unknown'],
  ['an unknown field deep inside', { taskQueue: { nam: 'q' } }, 'field_unknown'],
  ['a field under both of its names', { workflowId: 'a', workflow_id: 'b' }, 'input_invalid'],
  ['a list for an object', { taskQueue: [] }, 'input_invalid'],
  ['an object for a list', { links: {} }, 'input_invalid'],
  ['a number for text', { requestId: 5 }, 'input_invalid'],
  ['an unknown enum value', { workflowIdReusePolicy: 'NOPE' }, 'input_invalid'],
  ['no object at all', [1], 'input_invalid'],
  ['a bad duration', { workflowRunTimeout: 'soon' }, 'input_invalid'],
  ['something after a duration', { workflowRunTimeout: '10sx' }, 'input_invalid'],
  ['too many values', { input: Array.from({ length: 25_001 }, () => 1) }, 'input_invalid'],
];
for (const [name, body, code] of refused) {
  test(`a body with ${name} is refused`, () => assert.throws(() => post(START, body), refusedAs(code)));
}

test('T-034 a body that is nested without end is refused, in payloads too', () => {
  const deep = `${'{"cause":'.repeat(5000)}{}${'}'.repeat(5000)}`;
  const path = '/namespaces/orders.acme1/activity-fail';
  assert.throws(() => frameOf('POST', path, `{"failure":${deep}}`), refusedAs('input_invalid'));
  const lists = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;
  assert.throws(() => frameOf('POST', START, `{"input":[${lists}]}`), refusedAs('input_invalid'));
});

test('T-035 a body that is not UTF-8 or not JSON is refused', () => {
  const route = routeOf('POST', START);
  for (const body of [
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from('{'),
    Buffer.from('{} {}'),
    Buffer.from('\ufeff{}'),
  ]) {
    assert.throws(
      () => requestFrame(route, { query: [], body, shorthand: true }),
      refusedAs('input_invalid'),
    );
  }
});

test('64-bit integers are exact, as numbers and as text', () => {
  const path = '/namespaces/orders.acme1/workflows/w1/reset';
  const frame = frameOf('POST', path, '{"workflowTaskFinishEventId":9007199254740993}');
  assert.equal(decoded('POST', path, frame)['workflowTaskFinishEventId'], '9007199254740993');
});

test('a query fills the request: nested, repeated and by either name; what is no field is ignored', () => {
  const path = '/namespaces/orders.acme1/workflows/w1/history';
  assert.deepEqual(
    get(
      `${path}?execution.run_id=r1&maximumPageSize=5&next_page_token=AP__&waitNewEvent=true&pretty&x=y` +
        '&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT&execution.workflow_id=other&namespace=other',
    ),
    {
      namespace: 'orders.acme1',
      execution: { workflowId: 'w1', runId: 'r1' },
      maximumPageSize: 5,
      nextPageToken: 'AP//',
      waitNewEvent: true,
      historyEventFilterType: 'HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT',
    },
  );
  const times = get(
    '/namespaces/orders.acme1/schedules/s1/matching-times?start_time=2026-01-01T00:00:00Z&endTime=2026-01-02T00:00:00Z',
  );
  assert.equal(times['startTime'], '2026-01-01T00:00:00Z');
  const reach = get('/namespaces/orders.acme1/worker-task-reachability?buildIds=a&build_ids=b&taskQueues=q');
  assert.deepEqual(reach['buildIds'], ['a', 'b']);
});

for (const query of [
  'maximumPageSize=x',
  'maximumPageSize=1&maximumPageSize=2',
  'waitNewEvent=perhaps',
  'execution=x',
  'historyEventFilterType=7',
  'nextPageToken=~',
]) {
  test(`the query ${query} is refused`, () => {
    assert.throws(
      () => get(`/namespaces/orders.acme1/workflows/w1/history?${query}`),
      refusedAs('input_invalid'),
    );
  });
}

test('a public text never repeats a value that was sent', () => {
  const secret = 'hunter2';
  const attempts = [
    () => post(START, { requestId: { [secret]: secret } }),
    () => post(START, { workflowRunTimeout: secret }),
    () => post(START, { workflowIdReusePolicy: secret }),
    () => get(`/namespaces/orders.acme1/workflows/w1/history?waitNewEvent=${secret}`),
  ];
  for (const attempt of attempts) {
    assert.throws(attempt, (error) => error instanceof Refusal && !error.message.includes(secret));
  }
});

test('a reply shows payloads short where it can, and only where it is asked to', () => {
  const type = messageType('temporal.api.workflowservice.v1.GetWorkflowExecutionHistoryResponse');
  const sealed = { metadata: { encoding: base64('binary/gatehouse') }, data: 'AA==' };
  const event = (eventId: string, payloads: unknown[]) => ({
    eventId,
    eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED',
    workflowExecutionSignaledEventAttributes: { signalName: 's', input: { payloads } },
  });
  const json = {
    history: { events: [event('1', [plain('1'), plain('[]')]), event('2', [plain('{"a":1}'), sealed])] },
  };
  const bytes = toBinary(type, fromJson(type, json as JsonValue));
  const full = JSON.parse(replyText(type, bytes, { shorthand: false, pretty: false }));
  assert.deepEqual(full, json);
  const { events } = JSON.parse(replyText(type, bytes, { shorthand: true, pretty: true })).history;
  assert.deepEqual(events[0].workflowExecutionSignaledEventAttributes.input, [1, []]);
  assert.deepEqual(events[1].workflowExecutionSignaledEventAttributes.input, {
    payloads: [{ a: 1 }, sealed],
  });
});

test('payloads in maps and below an Any are shown short', () => {
  const query = messageType('temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse');
  const info = { workflowExecutionInfo: { memo: { fields: { a: plain('"b"') } } } };
  const bytes = toBinary(query, fromJson(query, info as JsonValue));
  assert.equal(
    replyText(query, bytes, { shorthand: true, pretty: false }),
    '{"workflowExecutionInfo":{"memo":{"fields":{"a":"b"}}}}',
  );
});

function routeOf(method: string, target: string): RouteMatch {
  const match = findHttpRoute(method, parseRequestTarget(target).segments);
  assert.ok(typeof match === 'object');
  return match;
}

function frameOf(method: string, target: string, body: string, shorthand = true): Buffer {
  const { query } = parseRequestTarget(target);
  return requestFrame(routeOf(method, target), { query, body: Buffer.from(body), shorthand });
}

function decoded(method: string, target: string, frame: Buffer): Record<string, unknown> {
  const type = routeOf(method, target).route.request;
  return toJson(type, fromBinary(type, frame.subarray(5)), { registry }) as Record<string, unknown>;
}

function post(target: string, body: unknown, shorthand = true): Record<string, unknown> {
  return decoded('POST', target, frameOf('POST', target, JSON.stringify(body), shorthand));
}

function get(target: string): Record<string, unknown> {
  return decoded('GET', target, frameOf('GET', target, ''));
}

function refusedAs(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code;
}
