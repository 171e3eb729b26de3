import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Canaries, findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import type { CanaryTenant } from './canary-tenant.ts';
import { openCliRunner } from './cli-runner.ts';
import { houseTarget } from './house-target.ts';
import { refusesAll } from './raw-attacks.ts';
import { type Reply, until } from './raw-tenant.ts';
import { openEngineReader } from './sealing/engine-reader.ts';
import { countSeals } from './sealing/find-unsealed.ts';
import { type Ask, readPages } from './sealing/read-pages.ts';
import { COLUMNS, jsonOf, runToTheEnd, withoutNames } from './sealing-raw-history-run.ts';
import {
  ID,
  prepareAttributes,
  type ReconfiguredSite,
  startReconfigured,
} from './sealing-raw-history-site.ts';
import { searchHouse } from './stored-bytes.ts';

// threats.md T-080: an engine that archives closed workflows in files. Ours is told not to; one that an operator runs
// may. What it writes is what it was given: sealed.

const NOT_FOUND = 5;
/** Stands where nothing is sealed: that it is found shows that the search would find the others. */
const READABLE = 'Kanarienvogel-in-a-reason';

let archive: string;
let site: ReconfiguredSite;
let tenant: CanaryTenant;
let other: CanaryTenant;
let execution: Reply;
let foreign: Reply;
let words: readonly string[];
/** What the gateway showed of the run before it was archived. */
let live: Reply;
let canaries: Canaries;

before(async () => {
  archive = await mkdtemp(join(tmpdir(), 'gatehouse-archive-'));
  site = await startReconfigured(archivalIn(archive));
  ({ tenant, other, canaries } = site);
  for (const { id } of [tenant, other]) await enableArchival(id);
  await prepareAttributes(site);
  for (const each of [tenant, other]) await untilArchiving(each);
  execution = await runToTheEnd(tenant, 'all', true);
  words = [...canaries.places.keys()];
  foreign = await runToTheEnd(other, 'all');
  live = (await tenant.ask('GetWorkflowExecutionHistory', { execution })).history.events;
  for (const [each, of] of [
    [tenant, execution],
    [other, foreign],
  ] as const)
    await moveToArchive(each, of);
});
after(async () => {
  await site?.close();
  await rm(archive, { recursive: true });
});

function archivalIn(folder: string) {
  const enabled = { state: 'enabled', enableRead: true };
  const provider = { filestore: { fileMode: '0600', dirMode: '0700' } };
  const uses = (name: string) => ({ state: 'disabled', URI: `file://${join(folder, name)}` });
  return {
    config: {
      archival: { history: { ...enabled, provider }, visibility: { ...enabled, provider } },
      namespaceDefaults: { archival: { history: uses('history'), visibility: uses('visibility') } },
    },
    // Five minutes otherwise; and half a minute until the engine knows that a run that it is to delete was closed.
    dynamic: {
      'history.archivalProcessorArchiveDelay': '1ms',
      'history.transferProcessorUpdateAckInterval': '200ms',
      'history.visibilityProcessorUpdateAckInterval': '200ms',
    },
  };
}

/** As the operator of an engine does: tenants cannot. */
async function enableArchival(namespace: string): Promise<void> {
  const config = { historyArchivalState: 2, visibilityArchivalState: 2 };
  await openEngineReader(site.house, namespace).ask('UpdateNamespace', { config });
}

const archivedFiles = async (): Promise<string[]> => {
  const entries = await readdir(archive, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
};
const archivedRuns = async (): Promise<string> => {
  const texts = await Promise.all((await archivedFiles()).map((file) => readFile(file, 'utf8')));
  return texts.join('\n');
};

/** The engine learns of a namespace's change some seconds later; a workflow that closes before is not archived. */
async function untilArchiving(each: CanaryTenant): Promise<void> {
  const runs: string[] = [];
  await until(`${each.id} is archived`, async () => {
    const workflowId = `probe-${runs.length}`;
    const { runId } = await each.start(workflowId, { taskQueue: { name: 'probe' } });
    runs.push(runId);
    await each.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId }, reason: READABLE });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const text = await archivedRuns();
    return runs.some((run) => text.includes(run));
  });
}

/** Waits until both files of a run are written, then has it deleted from the engine's own store. */
async function moveToArchive(each: CanaryTenant, run: Reply): Promise<void> {
  await until('the run is archived', async () => {
    const { executions } = await each.ask('ListArchivedWorkflowExecutions', { query: byId(run) });
    return executions.length === 1 && (await archivedRuns()).split(run.runId).length > 2;
  });
  await each.ask('DeleteWorkflowExecution', { workflowExecution: run });
  await until('the run is gone', async () => {
    const asked = { execution: run, skipArchival: true };
    return (await each.call('GetWorkflowExecutionHistory', asked)).status === NOT_FOUND;
  });
}

const byId = ({ workflowId }: Reply): string => `WorkflowId = '${workflowId}'`;

async function readArchived(ask: Ask, execution: Reply, maximumPageSize = 0): Promise<readonly Reply[][]> {
  const pages = await readPages(ask, 'GetWorkflowExecutionHistory', { execution, maximumPageSize });
  for (const { archived } of pages) assert.equal(archived, true);
  return pages.map(({ history }) => history.events);
}

test('T-080 no file of the archive holds a canary, and neither does anything else of the house', async () => {
  const files = await archivedFiles();
  const hits = (
    await Promise.all(
      files.map(async (file) => findCanaries(await readFile(file)).map((hit) => ({ file, ...hit }))),
    )
  ).flat();
  const isReadable = ({ around }: { readonly around: string }): boolean => around.includes(READABLE);
  assert.deepEqual(
    hits.filter((hit) => !isReadable(hit)),
    [],
  );
  assert.ok(hits.some(isReadable), 'a text that nothing seals is found');
  for (const kind of ['history', 'visibility'])
    assert.ok(
      files.some((file) => file.startsWith(join(archive, kind))),
      `${kind} is archived`,
    );
  assert.ok((await archivedRuns()).split('YmluYXJ5L2dhdGVob3VzZQ').length > 20, 'seals are in it');
  assert.deepEqual(
    (await searchHouse(site.house)).filter((hit) => !isReadable(hit)),
    [],
  );
});

test('T-080 straight from the engine an archived history is sealed at every place', async () => {
  const events = (await readArchived(openEngineReader(site.house, ID).ask, execution)).flat();
  const { unsealed, payloads, failures, attributes } = countSeals([...jsonOf(events)], COLUMNS);
  assert.deepEqual(unsealed, []);
  assert.ok(payloads > 20 && failures >= 6 && attributes === 4, `${payloads} ${failures} ${attributes}`);
});

test('an archived history, whose run is gone from the store, is through the gateway what it was before', async () => {
  const events = (await readArchived(tenant.ask, execution)).flat();
  assert.deepEqual(withoutNames(jsonOf(events)), withoutNames(jsonOf(live)));
  const text = JSON.stringify(jsonOf(events), (_, value) =>
    typeof value === 'string' && /^[\w+/]+=*$/.test(value)
      ? `${value} ${Buffer.from(value, 'base64')}`
      : value,
  );
  assert.ok(words.length > 50, `${words.length} canaries`);
  assert.deepEqual(
    words.filter((word) => !text.includes(word)).map((word) => canaries.places.get(word)),
    [],
  );
  for (const mark of ['binary/gatehouse', 'gh1.', 'Encoded failure']) assert.ok(!text.includes(mark), mark);
});

test('an SDK reads an archived history like any other', async () => {
  const cli = await openCliRunner(houseTarget(site.house));
  const { workflowId, runId } = execution;
  const which = ['--workflow-id', workflowId, '--run-id', runId, '--no-json-shorthand-payloads'];
  const shown = await cli.json('workflow', 'show', ...which);
  await cli.close();
  assert.deepEqual(withoutNames(shown.events), withoutNames(jsonOf(live)));
});

test('T-044b pages of archived histories turn by tokens of this history and namespace alone', async () => {
  const pages = await readArchived(tenant.ask, execution, 1);
  assert.ok(pages.length > 5, `${pages.length} pages`);
  assert.deepEqual(jsonOf(pages.flat()), jsonOf((await readArchived(tenant.ask, execution)).flat()));

  const page = (run: Reply) => ({ execution: run, maximumPageSize: 1 });
  const { nextPageToken: mine } = await tenant.ask('GetWorkflowExecutionHistory', page(execution));
  const { nextPageToken: theirs } = await other.ask('GetWorkflowExecutionHistory', page(foreign));
  const reader = openEngineReader(site.house, ID);
  const { nextPageToken: bare } = await reader.ask('GetWorkflowExecutionHistory', page(execution));
  for (const token of [mine, theirs, bare]) assert.ok(token.length > 0);
  const read = (nextPageToken: Uint8Array, run: Reply) => () =>
    tenant.call('GetWorkflowExecutionHistory', { ...page(run), nextPageToken });
  await refusesAll(site, { code: 'token_foreign', record: { severity: 'high', namespace: ID } }, [
    read(theirs, execution),
    read(theirs, foreign),
    read(bare, execution),
    read(mine, foreign),
  ]);
  const { status, body } = await tenant.call('GetWorkflowExecutionHistory', page(foreign));
  assert.notEqual(status, 0, "another namespace's archived run");
  assert.equal(body.length, 0);
});

test('archived runs are listed with memo and attributes as they were given, each namespace for itself', async () => {
  const pages = await readPages(tenant.ask, 'ListArchivedWorkflowExecutions', { pageSize: 1 });
  const listed: Reply[] = pages.flatMap(({ executions }) => executions);
  const runs = listed.map((each) => each.execution.runId);
  assert.ok(runs.includes(execution.runId) && !runs.includes(foreign.runId));
  const query = byId(execution);
  const { executions } = await tenant.ask('ListArchivedWorkflowExecutions', { query });
  const held = await openEngineReader(site.house, ID).ask('ListArchivedWorkflowExecutions', { query });
  const said = (value: Reply): string =>
    [...Object.values(value.memo.fields), ...Object.values(value.searchAttributes.indexedFields)]
      .map(({ data }: Reply) => Buffer.from(data))
      .join(' ');
  const places = (said(executions[0]).match(/Kanarienvogel-\d+-x/g) ?? []).map((word) =>
    canaries.places.get(word),
  );
  assert.deepEqual(places.sort(), ['upsert, Keyword', 'upsert, list', 'upsert, memo']);
  assert.deepEqual(findCanaries(Buffer.from(said(held.executions[0]))), []);
  assert.match(said(held.executions[0]), /gh1\./);
  const theirs = (await other.ask('ListArchivedWorkflowExecutions', { pageSize: 1 })).nextPageToken;
  await refusesAll(site, { code: 'token_foreign', record: { severity: 'high', namespace: ID } }, [
    () => tenant.call('ListArchivedWorkflowExecutions', { pageSize: 1, nextPageToken: theirs }),
  ]);
});
