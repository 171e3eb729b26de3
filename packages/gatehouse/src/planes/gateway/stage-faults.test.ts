import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { encode, type RawAnswer, type RawClient, WORKFLOW_SERVICE } from '#testing/grpc-client';
import { type AskedPart, type ScriptedSite, startScriptedSite, TENANT } from '#testing/scripted-site';

const OK = 0;
const INTERNAL = 13;
let site: ScriptedSite;
let client: RawClient;

before(async () => {
  site = await startScriptedSite();
  client = site.open(TENANT);
});
after(() => site?.close());

function start(through = client): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
    namespace: TENANT,
    workflowId: 'any',
    workflowType: { name: 'any' },
    taskQueue: { name: 'any' },
  });
  return through.call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, request, { timeoutMs: 2000 });
}

/** The next question to this part throws, all others are answered. */
function throwOnceAt(part: AskedPart): void {
  site.onAsked = (at) => {
    if (at !== part) return;
    site.onAsked = () => undefined;
    throw new TypeError(`injected secret detail at ${part}`);
  };
}

for (const [stage, part] of [
  ['identify', 'snapshot'],
  ['admit', 'writable'],
  ['the keys', 'keysFor'],
  ['relay', 'mintToken'],
] as const) {
  test(`F-22 an exception in ${stage} ends that call INTERNAL with its request id and its record, and no other`, async () => {
    assert.equal((await start()).status, OK);
    const seen = site.engine.seen.length;
    const parallel = Array.from({ length: 5 }, () => start());
    throwOnceAt(part);
    const answers = await Promise.all(parallel);
    const failed = answers.filter(({ status }) => status !== OK);
    assert.equal(failed.length, 1, JSON.stringify(answers.map(({ status }) => status)));
    const [first] = failed;
    assert.ok(first);
    const { status, message, headers } = first;
    assert.equal(status, INTERNAL);
    assert.match(message, /^internal error/);
    assert.doesNotMatch(message, /injected/);
    const requestId = String(headers['gatehouse-request-id']);
    const records = site.events.filter((event) => event.requestId === requestId);
    assert.deepEqual(
      records.map((event) => [event.outcome, event.reason, event.status]),
      [['error', 'internal', INTERNAL]],
    );
    assert.equal(site.engine.seen.length, seen + 4, 'what the engine saw');
    assert.ok(
      site.logLines.some((line) => line.includes(requestId) && line.includes(`at ${part}`)),
      'the log has the exception under the request id',
    );
    assert.equal((await start()).status, OK);
  });
}

test('F-22 an exception while the record is written: the call is answered INTERNAL and does not hang, the gateway goes on', async () => {
  for (const auditMode of ['relaxed', 'strict'] as const) {
    const record = site.record(TENANT);
    const snapshot = site.snapshot.namespaces as Map<string, typeof record>;
    snapshot.set(TENANT, { ...record, auditMode });
    throwOnceAt('append');
    const { status, message, failure } = await start();
    assert.deepEqual([status, failure], [INTERNAL, 'rst 0'], `${auditMode}: ${message}`);
    assert.doesNotMatch(message, /injected/);
    assert.equal((await start()).status, OK);
  }
});

test('F-22 an exception while a connection is taken ends that connection alone', async () => {
  throwOnceAt('snapshot');
  const unlucky = site.open(TENANT);
  const { status } = await start(unlucky);
  assert.ok([-1, INTERNAL].includes(status), String(status));
  assert.equal((await start()).status, OK);
  assert.equal((await start(site.open(TENANT))).status, OK);
});

test('F-04 with a snapshot older than its ceiling new connections are refused before any call, and recorded; old ones and the engine hear nothing', async () => {
  const seen = site.engine.seen.length;
  site.directoryState = 'expired';
  const late = site.open(TENANT);
  const before = site.events.length;
  assert.equal((await start(late)).status, -1);
  if (!late.session.destroyed) await once(late.session, 'close');
  const [event, ...more] = site.events.slice(before);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [event?.kind, event?.method, event?.outcome, event?.reason, event?.namespace, event?.detail],
    ['connection', 'connect', 'refused', 'directory_unavailable', TENANT, 'the snapshot is too old to serve'],
  );
  assert.equal(site.engine.seen.length, seen);
  site.directoryState = 'current';
  assert.equal((await start(site.open(TENANT))).status, OK);
});

test('F-04 detached from its database but young enough, the gateway takes new connections', async () => {
  site.directoryState = 'detached';
  assert.equal((await start(site.open(TENANT))).status, OK);
  site.directoryState = 'current';
});
