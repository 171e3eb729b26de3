import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { after, before, test } from 'node:test';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { type ReferenceEngine, startReferenceEngine } from './reference-engine.ts';

const NAMESPACE = 'default.local';
const W = `/namespaces/${NAMESPACE}/workflows`;
const S = `/namespaces/${NAMESPACE}/schedules`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Only the HTTP status and the code are the same: the two parsers word their complaints differently. */
  readonly looseText?: true;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

let house: House;
let reference: ReferenceEngine;

before(async () => {
  [house, reference] = await Promise.all([startHouse(), startReferenceEngine(NAMESPACE)]);
});

after(async () => {
  await Promise.all([house?.close(), reference?.close()]);
});

const start = (fields: object): string =>
  JSON.stringify({
    workflowType: { name: 'Order' },
    taskQueue: { name: 'q' },
    requestId: 'fixed',
    ...fields,
  });
const bigInput = [
  1,
  'two',
  null,
  { three: [3.5, true, ''], _protoMessageType: 'a.B' },
  { metadata: { encoding: base64('binary/plain') }, data: 'AAEC' },
];

/** Asked of both in this order: later questions are about what earlier ones made. */
const questions: readonly Question[] = [
  { path: `/cluster/namespaces/${NAMESPACE}/search-attributes` },
  { path: `${W}/missing` },
  { path: `${W}/missing/history` },
  { path: `${W}?query=${encodeURIComponent('WorkflowType = "Order"')}` },
  { path: `${W}?query=${encodeURIComponent('this is no query')}` },
  {
    method: 'POST',
    path: `${W}/w1`,
    body: start({ input: [1, 'two', { three: 3 }], memo: { fields: { note: 'hello' } } }),
  },
  { method: 'POST', path: `${W}/w2`, body: start({ input: bigInput, workflow_run_timeout: '3600s' }) },
  {
    method: 'POST',
    path: `/api/v1${W}/w3`,
    body: start({ input: [], workflowIdReusePolicy: 'RejectDuplicate' }),
  },
  { method: 'POST', path: `${W}/w1`, body: start({ requestId: 'another' }) },
  { path: `${W}/w1` },
  { path: `${W}/w1?pretty` },
  { path: `${W}/w1?noPayloadShorthand` },
  { path: `${W}/w1`, headers: { accept: 'application/json+pretty+no-payload-shorthand' } },
  { path: `${W}/w1/history` },
  { path: `${W}/w2/history?pretty` },
  { path: `${W}/w2/history?noPayloadShorthand` },
  { path: `${W}/w2/history?maximumPageSize=1` },
  { path: `${W}/w2/history?maximumPageSize=x`, looseText: true },
  { path: `${W}/w2/history?historyEventFilterType=NOPE`, looseText: true },
  { path: `${W}/w2/history-reverse` },
  { method: 'POST', path: `${W}/w1/signal/go`, body: '{"input":["a",12345678901234567]}' },
  {
    method: 'POST',
    path: `${W}/w1/signal/go`,
    body: '{"input":{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"IngiCg=="}]}}',
    headers: { 'content-type': 'application/json+no-payload-shorthand' },
  },
  { method: 'POST', path: `${W}/missing/signal/go`, body: '{}' },
  {
    method: 'POST',
    path: `${W}/w3/signal-with-start/go`,
    body: start({ signalInput: [{ a: 1 }], input: ['x'] }),
  },
  { path: `${W}/w3/history` },
  { method: 'POST', path: `${W}/w1/cancel`, body: '{"reason":"enough"}' },
  { method: 'POST', path: `${W}/w1/cancel`, body: '' },
  { method: 'POST', path: `${W}/w1/terminate`, body: '{"reason":"enough","details":["a",{"b":null}]}' },
  { method: 'POST', path: `${W}/w1/terminate`, body: '{}' },
  { path: `${W}/w1/history` },
  // Of a workflow that has ended: of a running one the engine would wait.
  {
    path: `${W}/w1/history?maximum_page_size=1&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT`,
  },
  { method: 'POST', path: `${W}/w4`, body: '{"workflowTyp":{}}', looseText: true },
  { method: 'POST', path: `${W}/w4`, body: '{"workflowType":[]}', looseText: true },
  { method: 'POST', path: `${W}/w4`, body: '{"requestId":5}', looseText: true },
  { method: 'POST', path: `${W}/w4`, body: '{', looseText: true },
  { method: 'POST', path: `${W}/w4`, body: '{}' },
  {
    method: 'POST',
    path: `${W}/w4`,
    body: start({ taskQueue: { name: 'q', kind: 'Normal' }, workflowRunTimeout: '10x' }),
    looseText: true,
  },
  { path: `/namespaces/${NAMESPACE}/task-queues/q` },
  { path: `/namespaces/${NAMESPACE}/task-queues/q?taskQueueType=TASK_QUEUE_TYPE_ACTIVITY&report_stats=true` },
  {
    method: 'POST',
    path: `${S}/s1`,
    body: JSON.stringify({
      requestId: 'fixed',
      schedule: {
        spec: { interval: [{ interval: '3600s' }] },
        action: {
          startWorkflow: {
            workflowId: 'w',
            workflowType: { name: 'Order' },
            taskQueue: { name: 'q' },
            input: ['x', { y: 1 }],
          },
        },
        state: { paused: true, notes: 'n' },
      },
      memo: { fields: { m: [1] } },
    }),
  },
  { path: `${S}/s1` },
  { path: `${S}/missing` },
  { path: `${S}/s1/matching-times?startTime=2026-01-01T00:00:00Z&endTime=2026-01-01T03:00:00Z` },
  { path: `${S}/s1/matching-times?startTime=yesterday`, looseText: true },
  { method: 'POST', path: `${S}/s1/patch`, body: '{"requestId":"fixed","patch":{"unpause":"go"}}' },
  { method: 'DELETE', path: `${S}/s1` },
  { path: `/namespaces/${NAMESPACE}/batch-operations` },
  { path: `/namespaces/${NAMESPACE}/worker-deployments` },
  { path: `/namespaces/${NAMESPACE}/workers` },
  { path: `/namespaces/${NAMESPACE}/archived-workflows` },
  { path: `/namespaces/${NAMESPACE}/nothing` },
  { method: 'PUT', path: `${W}/w1` },
  { path: '/nothing?pretty' },
];

test("the HTTPS endpoint answers as the engine's own HTTP API does", { timeout: 300_000 }, async (t) => {
  for (const question of questions) {
    const { method = 'GET', path, looseText } = question;
    await t.test(`${method} ${path} ${(question.body ?? '').slice(0, 40)}`, async () => {
      const expected = await askReference(question);
      const actual = await askHouse(question);
      assert.equal(actual.status, expected.status, actual.text);
      if (looseText === undefined) {
        assert.deepEqual(masked(actual.text), masked(expected.text));
        assert.equal(actual.text.includes('\n'), expected.text.includes('\n'));
      } else {
        assert.equal(JSON.parse(actual.text).code, JSON.parse(expected.text).code);
      }
    });
  }
});

test('T-023 a path of another namespace is refused, whatever its form', async () => {
  for (const namespace of [
    'other.local',
    'default.local%2f..%2fother.local',
    'temporal-system',
    'DEFAULT.local',
  ]) {
    const { status } = await askHouse({ path: `/namespaces/${namespace}/workflows` });
    assert.ok(status === 403 || status === 400, `${namespace}: ${status}`);
  }
});

async function askReference({ method = 'GET', path, body, headers = {} }: Question): Promise<Answer> {
  const answer = await fetch(reference.http + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, text: await answer.text() };
}

function askHouse({ method = 'GET', path, body, headers = {} }: Question): Promise<Answer> {
  const { https, serverCa, namespaces } = house.endpoint;
  const namespace = namespaces.find(({ id }) => id === NAMESPACE);
  assert.ok(namespace !== undefined && https !== null);
  const { hostname, port } = new URL(`https://${https}`);
  return new Promise((resolve, reject) => {
    const req = httpsRequest({
      host: hostname,
      port,
      servername: namespace.host,
      ca: readFileSync(serverCa),
      cert: readFileSync(namespace.clientCert),
      key: readFileSync(namespace.clientKey),
      method,
      path,
      headers: { host: namespace.host, ...headers },
    });
    req.on('error', reject);
    req.on('response', (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.end(body);
  });
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** Different for every engine, or bound by the gateway. */
const maskedKeys = new Set([
  'taskId',
  'nextPageToken',
  'conflictToken',
  'identity',
  'historySizeBytes',
  'stateTransitionCount',
  'clockTime',
]);

/** JSON without what two engines cannot have in common. */
function masked(text: string): unknown {
  return JSON.parse(text.replaceAll(UUID, '<uuid>').replaceAll(TIME, '<time>'), (key, value: unknown) =>
    maskedKeys.has(key) ? '<masked>' : value,
  );
}
