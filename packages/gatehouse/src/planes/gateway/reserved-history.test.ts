import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { GrpcStatus } from '#base/model/grpc-status';
import { decode, encode, type RawAnswer, WORKFLOW_SERVICE } from '#testing/grpc-client';
import type { ScriptedAnswer, SeenCall } from '#testing/scripted-engine';
import { type SealedSite, startSealedSite, TENANT } from '#testing/sealed-site';
import { withTimeLeft } from './reserved-history.ts';
import { plainPayload } from './sealed-replies-fixture.test.ts';
import { permitted } from './transform-fixture.test.ts';

// T-079b: payloads without a seal are shown where the engine's own workflows wrote them, which only a page with the
// start of the workflow shows. `sealing-batch-history.test.ts` asks the real engine.

const DESCRIBE = 'DescribeWorkflowExecution';
const FORWARD = 'GetWorkflowExecutionHistory';
const REVERSE = 'GetWorkflowExecutionHistoryReverse';
const RUN = '7f3a0f2e-0000-4000-8000-00000000000a';
const BATCHER = 'temporal-sys-batch-workflow-protobuf';

let site: SealedSite;
before(async () => {
  site = await startSealedSite();
});
after(() => site.close());
beforeEach(() => {
  site.engine.seen.length = 0;
});

type Fields = Record<string, unknown>;
const said = plainPayload('said');
const event = (name: string, value: Fields): Fields => ({
  attributes: { case: `${name}EventAttributes`, value },
});
const completed = event('workflowExecutionCompleted', { result: { payloads: [said] } });
const started = (name: string): Fields =>
  event('workflowExecutionStarted', { workflowType: { name }, input: { payloads: [said] } });

const page = (events: readonly Fields[], token = ''): ScriptedAnswer => ({
  body: encode(`workflowservice.v1.${FORWARD}Response`, {
    history: { events },
    nextPageToken: Buffer.from(token),
  }),
});
const description = (name: string, runId = RUN): ScriptedAnswer => ({
  body: encode(`workflowservice.v1.${DESCRIBE}Response`, {
    workflowExecutionInfo: { execution: { workflowId: 'job', runId }, type: { name } },
  }),
});

/** An engine with one answer to each of its two questions. */
function script(
  describe: ScriptedAnswer,
  history: ScriptedAnswer | ((call: SeenCall) => ScriptedAnswer),
): void {
  site.engine.answer = (call) => {
    if (call.method === DESCRIBE) return describe;
    return typeof history === 'function' ? history(call) : history;
  };
}

function ask(method: string, fields: Fields = {}, timeoutMs?: number): Promise<RawAnswer> {
  const message = encode(`workflowservice.v1.${method}Request`, {
    execution: { workflowId: 'job' },
    ...fields,
  });
  return site
    .open(TENANT)
    .call(WORKFLOW_SERVICE + method, message, timeoutMs === undefined ? {} : { timeoutMs });
}

const methods = (): string[] => site.engine.seen.map(({ method }) => method);
const asked = (at: number): Fields => {
  const { method, body } = site.engine.seen[at] ?? { method: '', body: new Uint8Array() };
  return decode(`workflowservice.v1.${method}Request`, body);
};

test('a page of a batch job without its start is shown: the engine says whose the run is, and is asked for that run', async () => {
  for (const method of [FORWARD, REVERSE]) {
    site.engine.seen.length = 0;
    script(description(BATCHER), page([completed]));
    const answer = await ask(method, { maximumPageSize: 1 });
    assert.equal(answer.status, GrpcStatus.OK, answer.message);
    assert.deepEqual(Buffer.from(answer.body), Buffer.from(page([completed]).body ?? []));
    assert.deepEqual(methods(), [method, DESCRIBE, method]);
    const [first, described, again] = [asked(0), asked(1), asked(2)];
    assert.deepEqual(described, { ...described, namespace: TENANT, execution: first['execution'] });
    const pinned = { ...(first['execution'] as Fields), runId: RUN };
    assert.deepEqual(again, { ...first, execution: pinned });
  }
});

test("T-079b a page of a tenant's own workflow stays unreadable, whatever its id, type and run are called", async () => {
  const types = ['orders', '', 'Temporal-sys-batch', ' temporal-sys-batch', 'temporal-sy'];
  for (const method of [FORWARD, REVERSE]) {
    for (const type of types) {
      script(description(type), page([completed]));
      const { answer, event: record } = await site.recorded(() => ask(method));
      assert.equal(answer.status, GrpcStatus.DATA_LOSS, type);
      assert.deepEqual([answer.body.length, record.reason], [0, 'payload_unreadable'], type);
    }
    // A description that says no run is of none.
    script(description(BATCHER, ''), page([completed]));
    assert.equal((await ask(method)).status, GrpcStatus.DATA_LOSS);
  }
});

test('T-079b what stands in another place of a description than the type of its workflow counts for nothing', async () => {
  const name = 'temporal-sys-batch-workflow-protobuf';
  const bodies: readonly Fields[] = [
    { workflowExecutionInfo: { execution: { workflowId: name, runId: RUN }, taskQueue: name } },
    {
      workflowExecutionInfo: { execution: { runId: RUN }, type: { name: 'orders' } },
      pendingActivities: [{ activityType: { name } }],
      pendingChildren: [{ workflowTypeName: name, runId: RUN }],
    },
    {},
  ];
  for (const fields of bodies) {
    script({ body: encode(`workflowservice.v1.${DESCRIBE}Response`, fields) }, page([completed]));
    assert.equal((await ask(REVERSE)).status, GrpcStatus.DATA_LOSS);
  }
  for (const body of [Buffer.from([0x12, 0x7f]), Buffer.alloc(9, 0xff), Buffer.from([0x13, 0x14])]) {
    script({ body }, page([completed]));
    assert.equal((await ask(REVERSE)).status, GrpcStatus.DATA_LOSS);
  }
});

test('T-079b an id that stands for another run by the time that it is described shows nothing of the first', async () => {
  // The engine would show the first run to whoever does not name one.
  script(description(BATCHER), (call) => {
    const { execution } = decode(`workflowservice.v1.${FORWARD}Request`, call.body);
    return execution.runId === '' ? page([completed]) : { status: GrpcStatus.NOT_FOUND, message: 'no run' };
  });
  const answer = await ask(FORWARD);
  assert.deepEqual([answer.status, answer.message, answer.body.length], [GrpcStatus.NOT_FOUND, 'no run', 0]);
});

test('a box that does not open is not shown either, and is not asked about without end', async () => {
  const broken = {
    metadata: { encoding: Buffer.from('binary/gatehouse') },
    data: Buffer.from('no box'),
  };
  script(
    description(BATCHER),
    page([event('workflowExecutionCompleted', { result: { payloads: [broken] } })]),
  );
  assert.equal((await ask(REVERSE)).status, GrpcStatus.DATA_LOSS);
  assert.deepEqual(methods(), [REVERSE, DESCRIBE, REVERSE]);
});

test('whose it is rides in the page token: later pages are shown without a question, and name no queue', async () => {
  const queue = { taskQueue: { name: 'host:uuid', kind: 2 } };
  const second = page([event('workflowTaskScheduled', queue), completed], 'third');
  for (const method of [FORWARD, REVERSE]) {
    site.engine.seen.length = 0;
    script(description(BATCHER), page([method === FORWARD ? started(BATCHER) : completed], 'second'));
    const first = decode(`workflowservice.v1.${method}Response`, (await ask(method)).body);
    const before = site.engine.seen.length;
    script({ status: GrpcStatus.INTERNAL }, second);
    const answer = await ask(method, { nextPageToken: first.nextPageToken });
    assert.equal(answer.status, GrpcStatus.OK, answer.message);
    assert.deepEqual(methods().slice(before), [method]);
    assert.ok(!Buffer.from(answer.body).includes('host:uuid'));
    const { nextPageToken } = decode(`workflowservice.v1.${method}Response`, answer.body);
    assert.equal((await ask(method, { nextPageToken })).status, GrpcStatus.OK);
    assert.deepEqual(
      Buffer.from(asked(site.engine.seen.length - 1)['nextPageToken'] as Uint8Array),
      Buffer.from('third'),
    );
  }
});

test("T-079b a page token of a tenant's own workflow does not say so, and neither does one that was altered", async () => {
  const sealedPage = page(
    [event('workflowExecutionStarted', { workflowType: { name: 'orders' } })],
    'second',
  );
  script(description('orders'), sealedPage);
  const { nextPageToken } = decode(`workflowservice.v1.${FORWARD}Response`, (await ask(FORWARD)).body);
  script(description('orders'), page([completed]));
  assert.equal((await ask(FORWARD, { nextPageToken })).status, GrpcStatus.DATA_LOSS);
  site.engine.seen.length = 0;
  for (let version = 0; version < 256; version += 1) {
    if (version === nextPageToken[1]) continue;
    const altered = Uint8Array.from(nextPageToken);
    altered[1] = version;
    assert.equal((await ask(FORWARD, { nextPageToken: altered })).status, GrpcStatus.INVALID_ARGUMENT);
  }
  assert.deepEqual(methods(), []);
});

test('an engine that cannot say whose it is: gone means unreadable, busy or away means to try again', async () => {
  for (const [told, expected] of [
    [GrpcStatus.NOT_FOUND, GrpcStatus.DATA_LOSS],
    [GrpcStatus.RESOURCE_EXHAUSTED, GrpcStatus.RESOURCE_EXHAUSTED],
    [GrpcStatus.UNAVAILABLE, GrpcStatus.UNAVAILABLE],
  ] as const) {
    script({ status: told, message: 'told' }, page([completed]));
    assert.equal((await ask(REVERSE)).status, expected, String(told));
  }
});

test('the questions together take no longer than the caller waits, and end when he goes away', async () => {
  script(description(BATCHER), page([completed]));
  await ask(REVERSE, {}, 5000);
  const timeouts = site.engine.seen.map(({ headers }) =>
    Number.parseInt(String(headers['grpc-timeout']), 10),
  );
  const [first = 0, described = 0, again = 0, ...more] = timeouts;
  assert.deepEqual(more, []);
  assert.ok(first <= 5000 && described < first && again <= described && again > 0, String(timeouts));
  const call = permitted(FORWARD);
  const timed = { ...call, head: { ...call.head, timeoutMs: 5000 } };
  assert.equal(withTimeLeft(timed, 400).head.timeoutMs, 4600);
  assert.equal(withTimeLeft(timed, 9000).head.timeoutMs, 1);
  assert.equal(withTimeLeft(call, 400), call);

  let closed: Promise<unknown> | undefined;
  const { promise: isAsked, resolve: markAsked } = Promise.withResolvers<void>();
  site.engine.answer = (call) => {
    if (call.method !== DESCRIBE) return page([completed]);
    markAsked();
    return new Promise(() => undefined);
  };
  const { event: record } = await site.recorded(async () => {
    const stream = site.open(TENANT).session.request({
      ':method': 'POST',
      ':path': WORKFLOW_SERVICE + REVERSE,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    closed = once(stream, 'close');
    stream.end(Buffer.alloc(5));
    await isAsked;
    stream.close(8);
    await closed;
    return { status: -1, message: '', body: new Uint8Array(), headers: {}, failure: '' };
  });
  assert.equal(record.outcome, 'cancelled');
});

test('nothing is asked where plaintext is allowed, and for no reply but a history', async () => {
  script(description(BATCHER), page([completed]));
  site.change(TENANT, { sealing: 'migrate' });
  assert.equal((await ask(REVERSE)).status, GrpcStatus.OK);
  site.change(TENANT, { sealing: 'on' });
  assert.deepEqual(methods(), [REVERSE]);
  const body = encode('workflowservice.v1.PollActivityTaskQueueResponse', { input: { payloads: [said] } });
  site.engine.answer = () => ({ body });
  assert.equal((await ask('PollActivityTaskQueue', { execution: undefined })).status, GrpcStatus.DATA_LOSS);
  assert.deepEqual(methods(), [REVERSE, 'PollActivityTaskQueue']);
});
