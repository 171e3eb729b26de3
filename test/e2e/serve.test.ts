import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { encode, openRawClient, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Site } from './serve-site.ts';

let site: Site;
const started: GatehouseProcess[] = [];
const ORDERS = 'orders.acme1';
const HOST = `${ORDERS}.${DOMAIN}`;
const WORKFLOWS = new URL('../../packages/gatehouse/quickstart/workflows.mjs', import.meta.url).pathname;

before(async () => {
  site = await makeSite();
  await site.makeCa('orders');
  // The restarts are meant, and the SDK warns of each.
  Runtime.install({
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
});

after(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL');
    await ended;
  }
  await until('no engine left', () => processesOf(site.folder).length === 0, 15_000);
  site.close();
});

function serve(): GatehouseProcess {
  const process_ = startGatehouse(['serve', '--config', site.configFile]);
  started.push(process_);
  return process_;
}

async function ready(process_: GatehouseProcess): Promise<string> {
  const [line] = await process_.printed(/^\{"ready":true.*\}\n/m);
  return JSON.parse(line).grpc;
}

async function stop(process_: GatehouseProcess): Promise<void> {
  process_.child.kill('SIGTERM');
  assert.equal(await process_.ended, 0, process_.stderr());
}

test('T-100a a bad configuration stops the start with every fault, and nothing is made', async () => {
  site.configure({
    namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, retentionDays: 0 }`],
    more: 'portal: {}',
  });
  chmodSync(join(site.folder, 'server.key'), 0o644);
  const process_ = serve();
  assert.equal(await process_.ended, 2);
  const key = join(site.folder, 'server.key');
  assert.equal(
    process_.stderr().replace(/ \(line \d+\)/g, ''),
    `gatehouse: the configuration ${site.configFile} cannot be used:
  gateway.keyFile: ${key} can be read or changed by other users; run: chmod 600 ${key}
  namespaces.0.retentionDays: must be at least 1: How long closed workflows are kept, in days.
  portal: is not a known key: remove it; known here: home, account, domain, region, gateway, directory, engine, encryption, limits, namespaces, log
`,
  );
  assert.equal(statSync(join(site.home, 'logs'), { throwIfNoEntry: false }), undefined);
  chmodSync(key, 0o600);
});

test('files that the configuration names are looked into before anything is started', async () => {
  const sound = readFileSync(join(site.folder, 'orders-ca.pem'));
  site.configure({ namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, certificateFilters: [{}] }`] });
  writeFileSync(join(site.folder, 'orders-ca.pem'), 'not a certificate');
  const process_ = serve();
  assert.equal(await process_.ended, 2);
  assert.match(process_.stderr(), /namespaces\.0\.certificateFilters: .*at least one field set/);
  assert.match(process_.stderr(), /namespaces\.0\.caFile: .*BEGIN CERTIFICATE/);
  assert.doesNotMatch(process_.stderr(), /Starting the Temporal Server/);
  writeFileSync(join(site.folder, 'orders-ca.pem'), sound);
});

/** A client of the TypeScript SDK, with the retries that it comes with. */
function settings(grpc: string) {
  const read = (file: string): Buffer => readFileSync(join(site.folder, file));
  return {
    address: grpc,
    tls: {
      serverNameOverride: HOST,
      serverRootCACertificate: read('server-ca.pem'),
      clientCertPair: { crt: read('orders.pem'), key: read('orders.key') },
    },
  };
}

test('F-14 no call of an SDK fails while the gateway is restarted under load, and its Worker goes on', async (t) => {
  site.configure({ namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem }`], drainSeconds: 10 });
  const first = serve();
  const grpc = await ready(first);
  site.configure({ grpc, namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem }`], drainSeconds: 10 });
  const connection = await Connection.connect(settings(grpc));
  const client = new Client({ connection, namespace: ORDERS });
  const workerConnection = await NativeConnection.connect(settings(grpc));
  const worker = await Worker.create({
    connection: workerConnection,
    namespace: ORDERS,
    taskQueue: 'restart',
    workflowsPath: WORKFLOWS,
    activities: { greet: async (name: string) => `Hello, ${name}!` },
  });
  const working = worker.run();

  const failures: unknown[] = [];
  const handles: Awaited<ReturnType<typeof client.workflow.start>>[] = [];
  let loading = true;
  t.after(async () => {
    loading = false;
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await working;
    await connection.close();
    await workerConnection.close();
  });
  const load = Array.from({ length: 4 }, async (_, lane) => {
    for (let index = 0; loading; index += 1) {
      await client.workflow
        .start('greeting', { taskQueue: 'restart', workflowId: `load-${lane}-${index}`, args: ['x'] })
        .then((handle) => handles.push(handle))
        .catch((error: unknown) => failures.push(error));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  });
  await until('calls are made', () => handles.length > 20);
  for (let round = 0; round < 2; round += 1) {
    const running = started.at(-1);
    assert.ok(running);
    await stop(running);
    const next = serve();
    assert.equal(await ready(next), grpc);
    const count = handles.length;
    await until('calls are made again', () => handles.length > count + 20, 15_000);
  }
  loading = false;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  for (const handle of handles) assert.equal(await handle.result(), 'Hello, x!');
  assert.equal(worker.getState(), 'RUNNING');
  worker.shutdown();
  await working;
});

test('F-14 SIGHUP reads the configuration again; a bad one leaves the old one in force', async () => {
  const running = started.at(-1);
  assert.ok(running);
  const logFile = join(site.home, 'logs', 'gatehouse.log');
  const lines = (text: string): number => readFileSync(logFile, 'utf8').split(text).length - 1;
  for (const [text, more] of [
    ['the configuration was read again', ''],
    ['the new configuration cannot be used; the old one stays', 'portal: {}'],
  ] as const) {
    site.configure({
      grpc: await ready(running),
      namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem }`],
      more,
    });
    const before = lines(text);
    running.child.kill('SIGHUP');
    await until(text, () => lines(text) > before);
  }
});

test('F-14 at SIGTERM a running call is answered, a parked poll ends with an answer, and clients are told by GOAWAY', async () => {
  const running = started.at(-1);
  assert.ok(running);
  const grpc = await ready(running);
  const endpoint = site.endpoint(grpc, { [ORDERS]: 'orders' });
  const client = openRawClient({ endpoint, certificateOf: ORDERS, serverName: HOST });
  const order: string[] = [];
  client.session.on('goaway', (code) => order.push(`GOAWAY ${code}`));
  const poll = client.call(
    `${WORKFLOW_SERVICE}PollWorkflowTaskQueue`,
    encode('workflowservice.v1.PollWorkflowTaskQueueRequest', {
      namespace: ORDERS,
      taskQueue: { name: 'parked' },
      identity: 'test',
    }),
    { timeoutMs: 60_000 },
  );
  // No Worker answers: the engine holds the query for the caller's whole 2 s, longer than an idle stop takes.
  const start = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
    namespace: ORDERS,
    workflowId: 'unanswered',
    requestId: 'unanswered',
    workflowType: { name: 'any' },
    taskQueue: { name: 'nobody' },
  });
  assert.equal((await client.call(`${WORKFLOW_SERVICE}StartWorkflowExecution`, start)).status, 0);
  const query = client.call(
    `${WORKFLOW_SERVICE}QueryWorkflow`,
    encode('workflowservice.v1.QueryWorkflowRequest', {
      namespace: ORDERS,
      execution: { workflowId: 'unanswered' },
      query: { queryType: 'any' },
    }),
    { timeoutMs: 2000 },
  );
  void query.then(() => order.push('the query'));
  // The first answer of all of these means that the ones before it have been read.
  const count = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: ORDERS });
  assert.equal((await client.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, count)).status, 0);
  running.child.kill('SIGTERM');
  const ends = Promise.all([query, poll, running.ended]);
  let isOver = false;
  void ends.then(() => {
    isOver = true;
  });
  await until('everything has ended', () => isOver, 10_000);
  const [asked, polled, exitCode] = await ends;
  // The query: the engine's own DEADLINE_EXCEEDED, at its time. The poll: empty, or try again elsewhere.
  assert.ok([4, 9].includes(asked.status), JSON.stringify(asked));
  assert.ok([0, 14].includes(polled.status), `${polled.status} ${polled.message} ${polled.failure}`);
  assert.equal(order[0], 'GOAWAY 0', 'before the query was over');
  assert.equal(exitCode, 0);
  assert.deepEqual(processesOf(site.folder), []);
});
