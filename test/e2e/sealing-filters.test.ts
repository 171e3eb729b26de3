import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { type CliRunner, openCliRunner } from './cli-runner.ts';
import { type HouseTarget, houseTarget } from './house-target.ts';
import { openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import {
  addSearchAttributes,
  attributes,
  KEYWORD,
  KEYWORD_LIST,
  untilAttributesWork,
} from './search-attributes.ts';

// threats.md T-083: sealed search attributes through the gateway, from the raw API, the SDK, the command line and over
// HTTPS. What every query becomes is `visibility-queries.test.ts`; here real keys seal, and clients know nothing of it.

const ID = 'default.local';
const OTHER = 'other.local';

let site: AttackSite;
let tenant: RawTenant;
let other: RawTenant;
let sdk: Client;
let cli: CliRunner;

/** Made by whom, with which values. */
const rows: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  both: { Customer: 'acme', Tags: ['red', 'blue'], Region: 'eu' },
  newer: { Customer: 'acme', Tags: ['red'], Region: 'us' },
  quoted: { Customer: "o'neil & sons", Tags: ['green'], Region: 'eu' },
  bare: { Region: 'us' },
};
const types = { Customer: KEYWORD, Tags: KEYWORD_LIST, Region: KEYWORD };

before(async () => {
  const encryption = { sealing: 'on', sealedAttributes: ['Customer', 'Tags'] } as const;
  site = await startAttackSite(['other'], { encryption });
  tenant = openTenant(site, ID);
  other = openTenant(site, OTHER);
  for (const each of [tenant, other]) await addSearchAttributes(site.house, each.id, types);
  for (const each of [tenant, other]) await untilAttributesWork(each, { Region: 'nowhere' });
  const target = houseTarget(site.house);
  cli = await openCliRunner(target);
  sdk = await openSdk(target);
  for (const each of [tenant, other]) for (const id of Object.keys(rows)) await begin(each, id);
  await until('all are listed', async () => {
    const count = async (each: RawTenant): Promise<number> =>
      Number((await each.ask('CountWorkflowExecutions', { query: "WorkflowType = 'orders'" })).count);
    const listed = (await tenant.ask('ListSchedules', {})).schedules.length;
    return (await count(tenant)) === 4 && (await count(other)) === 4 && listed === 4;
  });
});
after(async () => {
  await sdk?.connection.close();
  await cli?.close();
  await site?.close();
});

/** A workflow and a schedule of the same name. */
async function begin(each: RawTenant, id: string): Promise<void> {
  const searchAttributes = attributes(rows[id] ?? {});
  await each.start(id, { searchAttributes });
  const workflow = { workflowId: id, workflowType: { name: 'orders' }, taskQueue: { name: 'orders' } };
  await each.ask('CreateSchedule', {
    scheduleId: id,
    requestId: id,
    schedule: { action: { action: { case: 'startWorkflow', value: workflow } } },
    searchAttributes,
  });
}

async function openSdk({ address, namespace, tls }: HouseTarget): Promise<Client> {
  const connection = await Connection.connect({
    address,
    tls: {
      serverNameOverride: tls.serverName,
      serverRootCACertificate: readFileSync(tls.caFile),
      clientCertPair: { crt: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) },
    },
  });
  return new Client({ connection, namespace });
}

/** Finds workflow ids by a query, as each kind of client does. */
const listers: Readonly<Record<string, (query: string) => Promise<string[]>>> = {
  async list(query) {
    const { executions } = await tenant.ask('ListWorkflowExecutions', { query });
    return executions.map((each: Reply) => each.execution.workflowId);
  },
  async scan(query) {
    const { executions } = await tenant.ask('ScanWorkflowExecutions', { query });
    return executions.map((each: Reply) => each.execution.workflowId);
  },
  async sdk(query) {
    const found: string[] = [];
    for await (const { workflowId } of sdk.workflow.list({ query })) found.push(workflowId);
    return found;
  },
  async cli(query) {
    const list = await cli.json('workflow', 'list', '--query', query);
    return list.map((each: Reply) => each.execution.workflowId);
  },
  async https(query) {
    const { status, body } = await overHttps(query);
    assert.equal(status, 200, body);
    const list = JSON.parse(body).executions ?? [];
    return list.map((each: Reply) => each.execution.workflowId);
  },
};

const overHttps = (query: string): ReturnType<typeof requestRaw> =>
  requestRaw(site.house, {
    namespaceId: ID,
    credential: homeCredential(site.house.endpoint, ID),
    target: `/api/v1/namespaces/${ID}/workflows?query=${encodeURIComponent(query)}`,
  });

const counters: Readonly<Record<string, (query: string) => Promise<number>>> = {
  raw: async (query) => Number((await tenant.ask('CountWorkflowExecutions', { query })).count),
  sdk: async (query) => (await sdk.workflow.count(query)).count,
  cli: async (query) => Number((await cli.json('workflow', 'count', '--query', query)).count ?? 0),
};

const queries: Readonly<Record<string, readonly string[]>> = {
  "Customer = 'acme'": ['both', 'newer'],
  'Customer = "acme"': ['both', 'newer'],
  "Customer != 'acme'": ['quoted'],
  "Customer IN ('acme', 'nobody')": ['both', 'newer'],
  "Customer NOT IN ('acme', 'nobody')": ['quoted'],
  "Customer = 'o''neil & sons'": ['quoted'],
  "Customer = 'Acme'": [],
  "Customer IS NOT NULL AND Region = 'eu'": ['both', 'quoted'],
  "Customer IS NULL AND WorkflowType = 'orders'": ['bare'],
  "Tags = 'red'": ['both', 'newer'],
  "Tags IN ('blue', 'green')": ['both', 'quoted'],
  "Customer = 'acme' AND Tags = 'blue'": ['both'],
  "(Customer = 'acme' AND Region = 'us') OR Tags = 'green'": ['newer', 'quoted'],
};

for (const [query, expected] of Object.entries(queries)) {
  test(`T-083 every kind of client finds the right workflows by ${query}`, async () => {
    for (const [kind, list] of Object.entries(listers))
      assert.deepEqual((await list(query)).sort(), expected, kind);
    for (const [kind, count] of Object.entries(counters))
      assert.equal(await count(query), expected.length, kind);
  });
}

test('T-083 schedules are found by their sealed attributes too', async () => {
  const raw = async (query: string): Promise<string[]> => {
    const { schedules } = await tenant.ask('ListSchedules', { query });
    return schedules.map((each: Reply) => each.scheduleId).sort();
  };
  assert.deepEqual(await raw("Customer = 'acme'"), ['both', 'newer']);
  assert.deepEqual(await raw("Customer != 'acme'"), ['quoted']);
  assert.deepEqual(await raw("Customer IN ('acme')"), ['both', 'newer']);
  assert.deepEqual(await raw("Tags = 'blue'"), ['both']);
  assert.equal(Number((await tenant.ask('CountSchedules', { query: "Customer = 'acme'" })).count), 2);
  const bySdk: string[] = [];
  for await (const { scheduleId } of sdk.schedule.list({ query: "Customer = 'acme'" }))
    bySdk.push(scheduleId);
  assert.deepEqual(bySdk.sort(), ['both', 'newer']);
  const byCli = await cli.json('schedule', 'list', '--query', "Tags = 'green'");
  assert.deepEqual(
    byCli.map((each: Reply) => each.scheduleId),
    ['quoted'],
  );
});

const signalsOf = async (workflowId: string): Promise<string[]> => {
  const { history } = await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId } });
  return history.events
    .filter((event: Reply) => event.attributes.case === 'workflowExecutionSignaledEventAttributes')
    .map((event: Reply) => event.attributes.value.signalName);
};

test('T-083 a batch reaches what its filter over a sealed attribute finds, and nothing else', async () => {
  await tenant.ask('StartBatchOperation', {
    jobId: 'by-customer',
    reason: 'test',
    visibilityQuery: "Customer = 'acme'",
    operation: { case: 'signalOperation', value: { signal: 'raw', identity: 'raw' } },
  });
  const job = async (jobId: string): Promise<Reply> => await tenant.ask('DescribeBatchOperation', { jobId });
  await until('the batch is done', async () => (await job('by-customer')).state === 2);
  const signal = [
    'workflow',
    'signal',
    '--query',
    "Tags = 'green'",
    '--name',
    'cli',
    '--reason',
    'test',
    '--yes',
  ];
  const { exitCode, stderr } = await cli.run(...signal);
  assert.equal(exitCode, 0, stderr);
  await until('the batch of the command line is done', async () => (await signalsOf('quoted')).length === 1);
  assert.deepEqual(await Promise.all(['both', 'newer', 'quoted', 'bare'].map(signalsOf)), [
    ['raw'],
    ['raw'],
    ['cli'],
    [],
  ]);
});

const unanswerable = [
  "Customer STARTS_WITH 'ac'",
  "Customer NOT STARTS_WITH 'ac'",
  "Customer > 'a'",
  "Customer <= 'b'",
  "Customer BETWEEN 'a' AND 'b'",
  "Region = 'eu' AND Customer STARTS_WITH 'ac'",
];

test('T-083 prefixes and ranges are refused with a sentence that says why, to every kind of client', async () => {
  const { text } = refusals.filter_refused;
  for (const query of unanswerable) {
    for (const method of ['List', 'Scan', 'Count']) {
      const answer = await tenant.call(`${method}WorkflowExecutions`, { query });
      assert.equal(answer.status, 3, query);
      assert.ok(answer.message.startsWith(`${text}: `), answer.message);
      assert.match(answer.message, /Customer/);
    }
    assert.ok((await tenant.call('ListSchedules', { query })).message.startsWith(text));
    const batch = {
      jobId: 'refused',
      reason: 'test',
      visibilityQuery: query,
      operation: { case: 'terminationOperation', value: {} },
    };
    assert.ok((await tenant.call('StartBatchOperation', batch)).message.startsWith(text));
    await assert.rejects(sdk.workflow.count(query), (error: Error) =>
      JSON.stringify(messagesOf(error)).includes(text),
    );
    const https = await overHttps(query);
    assert.deepEqual([https.status, https.body.includes(text)], [400, true]);
  }
  const [query = ''] = unanswerable;
  const { exitCode, stderr } = await cli.run('workflow', 'list', '--query', query);
  assert.notEqual(exitCode, 0);
  assert.ok(stderr.includes(text), stderr);
});

function messagesOf(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...messagesOf(error.cause)] : [];
}

test('T-083 values come back open: to lists, to the SDK and to the command line', async () => {
  for await (const { workflowId, searchAttributes } of sdk.workflow.list({ query: "Customer = 'acme'" })) {
    assert.deepEqual(searchAttributes['Customer'], ['acme']);
    assert.deepEqual(searchAttributes['Tags'], rows[workflowId]?.['Tags']);
  }
  const [found] = await cli.json('workflow', 'list', '--query', "Tags = 'green'");
  assert.equal(
    Buffer.from(found.searchAttributes.indexedFields.Customer.data, 'base64').toString(),
    `"o'neil & sons"`,
  );
});

test('T-083 a workflow that the SDK starts with a sealed attribute is found by it', async () => {
  await sdk.workflow.start('orders', {
    workflowId: 'by-sdk',
    taskQueue: 'nobody',
    searchAttributes: { Customer: ['of the SDK'] },
  });
  await until('it is found', async () => (await counters['raw']?.("Customer = 'of the SDK'")) === 1);
  await sdk.workflow.getHandle('by-sdk').terminate();
});

/** The texts that the store has for an attribute of a workflow. */
function storedTexts(namespaceId: string, workflowId: string): string[] {
  const database = new DatabaseSync(join(site.house.home, 'engine', 'data', 'temporal.db'), {
    readOnly: true,
  });
  const engineId = site.house.up.platform.directory.snapshot().namespaces.get(namespaceId)?.engineId ?? '';
  const row = database
    .prepare('SELECT search_attributes FROM executions_visibility WHERE namespace_id = ? AND workflow_id = ?')
    .get(engineId, workflowId);
  database.close();
  return String(row?.['search_attributes']).match(/gh1\.[\w-]+/g) ?? [];
}

test('T-083 the same value in two namespaces differs in the store; within one it is the same, as is written down', () => {
  const own = ['both', 'newer', 'quoted'].map((id) => storedTexts(ID, id));
  assert.deepEqual(
    own.map((texts) => texts.length),
    [3, 2, 2],
  );
  const shared = own[0]?.filter((text) => own[1]?.includes(text));
  assert.equal(shared?.length, 2, "'acme' and 'red' of one namespace");
  const theirs = ['both', 'newer', 'quoted'].flatMap((id) => storedTexts(OTHER, id));
  assert.equal(theirs.length, 7);
  assert.deepEqual(
    theirs.filter((text) => own.flat().includes(text)),
    [],
  );
});

test('T-083 a sealed text taken from the store finds nothing, in a filter of either namespace', async () => {
  const texts = [...storedTexts(ID, 'both'), ...storedTexts(OTHER, 'both')];
  for (const each of [tenant, other]) {
    for (const text of texts) {
      for (const name of ['Customer', 'Tags', 'Region']) {
        const { count } = await each.ask('CountWorkflowExecutions', { query: `${name} = '${text}'` });
        assert.equal(Number(count), 0);
      }
    }
  }
});
