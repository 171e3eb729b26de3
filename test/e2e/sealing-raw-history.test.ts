import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { type Canaries, findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { prepareWorker } from '../parts/sdk-workers.ts';
import { startWorkerProcess } from '../parts/worker-process.ts';
import type { CanaryTenant } from './canary-tenant.ts';
import { openCliRunner } from './cli-runner.ts';
import { houseTarget } from './house-target.ts';
import { refusesAll } from './raw-attacks.ts';
import { type Reply, until } from './raw-tenant.ts';
import { openEngineReader } from './sealing/engine-reader.ts';
import { countSeals } from './sealing/find-unsealed.ts';
import { COLUMNS, eventsIn, jsonOf, readRaw, runToTheEnd, withoutNames } from './sealing-raw-history-run.ts';
import {
  ID,
  OTHER,
  prepareAttributes,
  type ReconfiguredSite,
  startReconfigured,
} from './sealing-raw-history-site.ts';
import { openStoredRows } from './stored-rows.ts';

// threats.md T-080: an engine that hands out histories as it stores them, in blobs. Ours is told not to; one that an
// operator runs may. Every blob is opened, and what does not open is withheld.

const CLOSE_EVENT = 2;
const DATA_LOSS = 15;
const WORKFLOWS = join(import.meta.dirname, '../../packages/gatehouse/quickstart/workflows.mjs');
/** The message types of the TypeScript SDK, in the copy that its client uses. */
const sdkTypes = createRequire(import.meta.resolve('@temporalio/client'))('@temporalio/proto');

let site: ReconfiguredSite;
let tenant: CanaryTenant;
let other: CanaryTenant;
let execution: Reply;
let canaries: Canaries;
let words: readonly string[];

before(async () => {
  site = await startReconfigured({ dynamic: { 'frontend.sendRawWorkflowHistory': true } });
  ({ tenant, other, canaries } = site);
  await prepareAttributes(site);
  execution = await runToTheEnd(tenant, 'all');
  words = [...canaries.places.keys()];
});
after(() => site.close());

const engine = () => openEngineReader(site.house, ID);

test('T-080 straight from the engine raw history holds no canary, and a seal at every place', async () => {
  const blobs = (await readRaw(engine().ask, execution)).flat();
  assert.deepEqual(blobs.flatMap(findCanaries), []);
  const { unsealed, payloads, failures, attributes } = countSeals([...eventsIn(blobs)], COLUMNS);
  assert.deepEqual(unsealed, []);
  assert.ok(payloads > 20 && failures >= 6 && attributes === 4, `${payloads} ${failures} ${attributes}`);
});

test('T-080 through the gateway every blob is opened: all that was said is in it, and no seal', async () => {
  const blobs = (await readRaw(tenant.ask, execution)).flat();
  const bytes = Buffer.concat(blobs);
  assert.ok(words.length > 50, `${words.length} canaries`);
  assert.deepEqual(
    words.filter((word) => !bytes.includes(word)).map((word) => canaries.places.get(word)),
    [],
  );
  for (const mark of ['binary/gatehouse', 'gh1.', 'Encoded failure']) assert.ok(!bytes.includes(mark), mark);
  const stored = eventsIn((await readRaw(engine().ask, execution)).flat());
  const ids = (events: readonly JsonObject[]) => events.map(({ eventId }) => eventId);
  assert.deepEqual(ids(eventsIn(blobs)), ids(stored));
});

test('raw history is event by event what the same history is that the engine decodes itself', async () => {
  // The engine has no raw form of the history backwards.
  const { history } = await tenant.ask('GetWorkflowExecutionHistoryReverse', { execution });
  const expected = jsonOf(history.events).toReversed();
  assert.deepEqual(
    withoutNames(eventsIn((await readRaw(tenant.ask, execution)).flat())),
    withoutNames(expected),
  );
});

test('the closing event alone, and the rest of a history that is waited for, come raw and open', async () => {
  const last = await tenant.ask('GetWorkflowExecutionHistory', {
    execution,
    historyEventFilterType: CLOSE_EVENT,
    waitNewEvent: true,
  });
  assert.equal(last.rawHistory.length, 1);
  // Blobs are not cut: it is the batch that the event stands in.
  const closing = eventsIn(last.rawHistory.map(({ data }: Reply) => data)).at(-1);
  assert.equal(closing?.['eventType'], 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  const result = words.find((word) => canaries.places.get(word) === 'workflow, result') ?? '';
  assert.ok(Buffer.from(last.rawHistory[0].data).includes(result));

  const { runId } = await tenant.start('waited', { taskQueue: { name: 'waited' } });
  const waited = { execution: { workflowId: 'waited', runId }, waitNewEvent: true };
  const first = await tenant.ask('GetWorkflowExecutionHistory', waited);
  const next = tenant.ask('GetWorkflowExecutionHistory', { ...waited, nextPageToken: first.nextPageToken });
  const said = tenant.say('signal that is waited for');
  await tenant.ask('SignalWorkflowExecution', {
    workflowExecution: { workflowId: 'waited' },
    signalName: 'wake',
    input: { payloads: [said] },
  });
  const { rawHistory } = await next;
  assert.ok(Buffer.concat(rawHistory.map(({ data }: Reply) => data)).includes(Buffer.from(said.data)));
});

test('T-044b raw history is read page by page, by tokens that are good for this history alone', async () => {
  const pages = await readRaw(tenant.ask, execution, 1);
  assert.ok(pages.length > 5, `${pages.length} pages`);
  assert.deepEqual(pages.flat(), (await readRaw(tenant.ask, execution)).flat());

  const foreign = await runToTheEnd(other, 'all');
  await tenant.start('another', { taskQueue: { name: 'another' } });
  const page = { execution, maximumPageSize: 1 };
  const mine = (await tenant.ask('GetWorkflowExecutionHistory', page)).nextPageToken;
  const theirs = (await other.ask('GetWorkflowExecutionHistory', { execution: foreign, maximumPageSize: 1 }))
    .nextPageToken;
  const bare = (await engine().ask('GetWorkflowExecutionHistory', page)).nextPageToken;
  for (const token of [mine, theirs, bare]) assert.ok(token.length > 0);
  const read =
    (nextPageToken: Uint8Array, of: Reply = execution, method = 'GetWorkflowExecutionHistory') =>
    () =>
      tenant.call(method, { execution: of, maximumPageSize: 1, nextPageToken });
  await refusesAll(site, { code: 'token_foreign', record: { severity: 'high', namespace: ID } }, [
    read(theirs),
    read(theirs, foreign),
    read(bare),
    read(mine, { workflowId: 'another' }),
    read(mine, execution, 'GetWorkflowExecutionHistoryReverse'),
  ]);
  assert.equal((await read(mine)()).status, 0);
});

test('T-077 a blob in which one byte of a seal was changed in the store is withheld', async () => {
  const { runId } = await tenant.start('damaged', {
    taskQueue: { name: 'damaged' },
    input: tenant.input('damaged, input'),
  });
  const damaged = { workflowId: 'damaged', runId };
  await readRaw(tenant.ask, damaged);
  const rows = openStoredRows(site.house);
  rows.editStart('damaged', ({ input }) => {
    input.payloads[0].data[60] ^= 1;
  });
  rows.close();
  const answer = await tenant.call('GetWorkflowExecutionHistory', { execution: damaged });
  assert.deepEqual([answer.status, answer.body.length], [DATA_LOSS, 0], answer.message);
  await readRaw(tenant.ask, execution);
});

test('SDKs on such an engine: Go reads raw history, by the command line and in its Workers', async () => {
  const cli = await openCliRunner(houseTarget(site.house));
  const shown = await cli.json('workflow', 'show', '--workflow-id', 'all', '--no-json-shorthand-payloads');
  await cli.close();
  const { history } = await tenant.ask('GetWorkflowExecutionHistoryReverse', { execution });
  assert.deepEqual(withoutNames(shown.events), withoutNames(jsonOf(history.events).toReversed()));

  const go = startWorkerProcess(await prepareWorker('go'), houseTarget(site.house, OTHER), {
    mode: 'features',
  });
  const { lines, log } = await go.ended;
  assert.deepEqual(
    lines.filter(({ ok }) => ok !== true),
    [],
    log,
  );
  assert.ok(lines.some(({ feature }) => feature === 'history'));
});

test('SDKs on such an engine: TypeScript asks its histories for events alone, and replays what it finds in the blobs', async (t) => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { address, tls } = houseTarget(site.house);
  const [serverRootCACertificate, crt, key] = await Promise.all(
    [tls.caFile, tls.certificateFile, tls.keyFile].map((file) => readFile(file)),
  );
  assert.ok(serverRootCACertificate && crt && key);
  const settings = {
    address,
    tls: { serverNameOverride: tls.serverName, serverRootCACertificate, clientCertPair: { crt, key } },
  };
  const connection = await Connection.connect(settings);
  t.after(() => connection.close());
  const nativeConnection = await NativeConnection.connect(settings);
  const client = new Client({ connection, namespace: ID });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS,
    logger: new DefaultLogger('ERROR'),
  });
  const taskQueue = 'typescript';
  const worker = await Worker.create({
    connection: nativeConnection,
    namespace: ID,
    taskQueue,
    workflowBundle,
    activities: { greet: async (name: string) => `Hello, ${name}!` },
  });
  const name = tenant.word('input of the TypeScript SDK');
  const workflowId = 'typescript';
  const handle = await client.workflow.start('greeting', { workflowId, taskQueue, args: [name] });
  await worker.runUntil(() =>
    until('it has ended', async () => (await handle.describe()).status.name === 'COMPLETED'),
  );
  await nativeConnection.close();

  assert.deepEqual((await handle.fetchHistory()).events, []);
  const { rawHistory } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: ID,
    execution: { workflowId },
  });
  const events = (rawHistory ?? []).flatMap(
    ({ data }) => sdkTypes.temporal.api.history.v1.History.decode(data).events,
  );
  const [{ workflowExecutionStartedEventAttributes: started }] = events;
  assert.equal(Buffer.from(started.input.payloads[0].data).toString(), JSON.stringify(name));
  await Worker.runReplayHistory({ workflowBundle }, { events }, workflowId);
});
