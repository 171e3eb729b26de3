import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import type { DatabaseOptions } from '../../packages/gatehouse/src/base/store/database/database.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/gatehouse/src/testing/embedded-postgres.ts';
import {
  decode,
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { until } from './gatehouse-process.ts';

const NAMESPACE = 'default.local';
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const home = mkdtempSync(join(tmpdir(), 'gatehouse-reliability-'));
let postgres: EmbeddedPostgres;
let database: DatabaseOptions;
let house: House;
let client: RawClient;

before(async () => {
  postgres = await startEmbeddedPostgres();
  const admin = new pg.Client(postgres.connection('postgres'));
  await admin.connect();
  await admin.query('create database gatehouse');
  await admin.end();
  const { password, ...address } = postgres.connection('gatehouse');
  database = { kind: 'postgres', connection: { ...address, password: new Secret(Buffer.from(password)) } };
  house = await startHouse({ home, database });
  client = open();
});

after(async () => {
  client?.close();
  await house?.close();
  await postgres?.close();
  rmSync(home, { recursive: true, force: true });
});

function open(): RawClient {
  const [namespace] = house.endpoint.namespaces;
  return openRawClient({
    endpoint: house.endpoint,
    certificateOf: NAMESPACE,
    serverName: namespace?.host ?? '',
  });
}

function call(
  method: string,
  fields: Record<string, unknown>,
  through = client,
  timeoutMs = 10_000,
): Promise<RawAnswer> {
  const request = encode(`workflowservice.v1.${method}Request`, { namespace: NAMESPACE, ...fields });
  return through.call(`${WORKFLOW_SERVICE}${method}`, request, { timeoutMs });
}

function startWorkflow(workflowId: string, taskQueue = 'idle'): Promise<RawAnswer> {
  return call('StartWorkflowExecution', {
    workflowId,
    requestId: workflowId,
    workflowType: { name: 'any' },
    taskQueue: { name: taskQueue },
  });
}

async function poll(taskQueue: string): Promise<RawAnswer> {
  return await call(
    'PollWorkflowTaskQueue',
    { taskQueue: { name: taskQueue }, identity: 'test' },
    client,
    60_000,
  );
}

/** Says which of these do not exist in the engine. */
async function missing(workflowIds: readonly string[]): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const workflowId of workflowIds) {
    const { status } = await call('DescribeWorkflowExecution', { execution: { workflowId } });
    if (status !== 0) gone.push(workflowId);
  }
  return gone;
}

test('F-01 an engine that is killed under load: never a false OK, steady in 10 s, polls resume, every acknowledged start exists', async (t) => {
  const { engine } = house.up.platform;
  const acknowledged: string[] = [];
  const refused = new Map<string, number>();
  let loading = true;
  t.after(() => {
    loading = false;
  });
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    for (let index = 0; loading; index += 1) {
      const id = `f01-${lane}-${index}`;
      const answer = await startWorkflow(id);
      if (answer.status === 0) acknowledged.push(id);
      else
        refused.set(
          `${answer.status} ${answer.message}`,
          (refused.get(`${answer.status} ${answer.message}`) ?? 0) + 1,
        );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  await until('calls are acknowledged', () => acknowledged.length > 100);
  const parked = poll('f01-parked');
  // This poll and the calls share one connection: an answer after it means that it has been read.
  await startWorkflow('f01-after-poll');
  const killed = engine.pid;
  assert.ok(killed !== undefined);
  process.kill(killed, 'SIGKILL');
  const killedAt = performance.now();
  const { status } = await parked;
  assert.equal(status, UNAVAILABLE);
  await until('the engine is ready again', () => engine.state() === 'ready' && engine.pid !== killed, 10_000);
  const [before, refusals] = [acknowledged.length, total(refused)];
  await until('calls are acknowledged again', () => acknowledged.length > before + 100, 10_000);
  assert.ok(performance.now() - killedAt < 10_000, `${performance.now() - killedAt} ms`);
  // Steady: what was refused after it was back is at most what was under way at that moment.
  assert.ok(total(refused) - refusals <= lanes.length, JSON.stringify([...refused]));
  loading = false;
  await Promise.all(lanes);
  // Ours, or the engine's own while it starts.
  for (const answer of refused.keys()) assert.match(answer, /^14 /);
  const resumed = poll('f01-parked');
  await startWorkflow('f01-task', 'f01-parked');
  const { taskToken } = decode('workflowservice.v1.PollWorkflowTaskQueueResponse', (await resumed).body);
  assert.ok(taskToken.length > 0);
  assert.deepEqual(await missing(acknowledged), []);
});

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

test('a deadline that passes in the engine is DEADLINE_EXCEEDED and nothing that an SDK would try again', async () => {
  await startWorkflow('unanswered');
  for (let round = 0; round < 8; round += 1) {
    const fields = { execution: { workflowId: 'unanswered' }, query: { queryType: 'any' } };
    const { status, message } = await call('QueryWorkflow', fields, client, 150 + round);
    assert.equal(status, DEADLINE_EXCEEDED, message);
  }
});

test('F-02 an engine that hangs costs a call its own deadline and no more, and is used again when it goes on', async (t) => {
  const { pid } = house.up.platform.engine;
  assert.ok(pid !== undefined);
  t.after(() => process.kill(pid, 'SIGCONT'));
  process.kill(pid, 'SIGSTOP');
  let isLongOver = false;
  void call('CountWorkflowExecutions', {}, client, 2000).then(({ status }) => {
    isLongOver = status === DEADLINE_EXCEEDED;
  });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => call('CountWorkflowExecutions', {}, client, 500)),
  );
  for (const { status, message } of answers)
    assert.ok(status === DEADLINE_EXCEEDED || status === UNAVAILABLE, `${status} ${message}`);
  assert.equal(isLongOver, false, 'all of them ended before a deadline that is longer than theirs');
  process.kill(pid, 'SIGCONT');
  await until(
    'calls are answered again',
    async () => (await call('CountWorkflowExecutions', {})).status === 0,
  );
});

test('F-03 with the directory database away calls and new connections go on, changes are refused, and it comes back by itself', async () => {
  const { directory } = house.up.platform;
  await postgres.stop();
  await until('the directory notices', () => directory.state() === 'detached');
  const fresh = open();
  for (const through of [client, fresh]) {
    const answer = await call('CountWorkflowExecutions', {}, through);
    assert.equal(answer.status, 0, `${answer.message} ${answer.failure}`);
  }
  fresh.close();
  await assert.rejects(directory.write.setState(NAMESPACE, 'suspended'), { code: 'directory_unavailable' });
  await postgres.start();
  await until('the directory is back', () => directory.state() === 'current');
  await directory.write.setState(NAMESPACE, 'suspended');
  const answer = await call('CountWorkflowExecutions', {});
  assert.notEqual(answer.status, 0);
  await directory.write.setState(NAMESPACE, 'active');
  client = open();
});

test('F-05 a start with the database away serves from the sealed copy, and follows the database when it is back', async () => {
  client.close();
  await house.up.stop(500);
  await postgres.stop();
  house = await startHouse({ home, database });
  client = open();
  const { directory } = house.up.platform;
  assert.equal(directory.state(), 'detached');
  const answer = await startWorkflow('f05');
  assert.equal(answer.status, 0, `${answer.message} ${answer.failure}`);
  await postgres.start();
  await until('the directory is back', () => directory.state() === 'current');
  await directory.write.setRetentionDays(NAMESPACE, 3);
  assert.equal(directory.snapshot().namespaces.get(NAMESPACE)?.retentionDays, 3);
});

test('F-05 without a sealed copy such a start ends with the reason, and leaves nothing running', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'gatehouse-reliability-'));
  const nowhere: DatabaseOptions = {
    kind: 'postgres',
    connection: { host: empty, port: 5432, user: 'x', password: new Secret(Buffer.from('x')), database: 'x' },
  };
  await assert.rejects(
    startHouse({ home: empty, database: nowhere }),
    /the directory database cannot be used .*there is no sealed copy/,
  );
  // The lock is free again: a second try finds the same fault, not the first try.
  await assert.rejects(
    startHouse({ home: empty, database: nowhere }),
    /the directory database cannot be used/,
  );
  rmSync(empty, { recursive: true, force: true });
});

/** How many calls of this method are on record: what a client believes unsent must not be among them. */
async function recorded(method: string): Promise<number> {
  return (await house.events()).filter((event) => String(event['method']).endsWith(`/${method}`)).length;
}

test('F-14 of the calls that a client sends while the gateway drains, each is answered or was never begun', async () => {
  const busy = open();
  const answers: Promise<RawAnswer>[] = [];
  let told = false;
  busy.session.on('goaway', () => {
    told = true;
  });
  const send = (): Promise<RawAnswer> => {
    const answer = call('CountWorkflowExecutions', {}, busy);
    answers.push(answer);
    return answer;
  };
  const before = await recorded('CountWorkflowExecutions');
  assert.equal((await send()).status, 0);
  const drained = house.up.platform.gateway.quiesce(5000);
  while (!told) {
    for (let burst = 0; burst < 10; burst += 1) void send();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await drained;
  const results = await Promise.all(answers);
  const answered = results.filter(({ status }) => status === 0);
  // REFUSED_STREAM: gRPC clients send such a call again by themselves (RFC 9113 section 8.7).
  const unsent = results.filter(({ status, failure }) => status === -1 && failure === 'rst 7');
  assert.equal(
    answered.length + unsent.length,
    results.length,
    JSON.stringify(results.map(({ failure }) => failure)),
  );
  assert.equal((await recorded('CountWorkflowExecutions')) - before, answered.length);
});

test('F-14 a drain lets long polls go on until its limit, and then tells them to go elsewhere', async (t) => {
  const other = await startHouse();
  t.after(() => other.close());
  const [namespace] = other.endpoint.namespaces;
  const parked = openRawClient({
    endpoint: other.endpoint,
    certificateOf: NAMESPACE,
    serverName: namespace?.host ?? '',
  });
  const fields = { taskQueue: { name: 'parked' }, identity: 'test' };
  const polled = call('PollWorkflowTaskQueue', fields, parked, 60_000);
  // One connection, in order: an answer to this one means that the poll has been read.
  assert.equal((await call('CountWorkflowExecutions', {}, parked)).status, 0);
  const before = performance.now();
  await other.up.platform.gateway.drain(1000);
  const { status, message } = await polled;
  assert.deepEqual(
    [status, message],
    [UNAVAILABLE, 'the gateway is shutting down; retry on a new connection'],
  );
  assert.ok(performance.now() - before >= 1000);
});
