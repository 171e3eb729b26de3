import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import type { RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { startGatehouse } from './gatehouse-process.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import { openEngineReader } from './sealing/engine-reader.ts';
import { findWords } from './sealing/find-words.ts';

const ERASED = 'orders.local';
const OTHER = 'default.local';
const FAILED_PRECONDITION = 9;
const COMPLETED = 2;

const payload = (text: string) => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(text)),
});
const payloads = (text: string) => ({ payloads: [payload(text)] });
const textOf = (from: Reply): string => JSON.parse(Buffer.from(from.data).toString());

/** GDPR 17: one namespace is erased by destroying its keys, beside another that nothing happens to. */
describe('erasure of a namespace', { concurrency: false }, () => {
  let home: string;
  /** The whole home as it was before, with everything in it. */
  let copy: string;
  let site: AttackSite;
  /** What the KMS made of each namespace's keys, as the directory stores it. */
  let wrapped: Readonly<Record<string, readonly string[]>>;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'gatehouse-erasure-'));
    copy = await mkdtemp(join(tmpdir(), 'gatehouse-erasure-copy-'));
    site = await startAttackSite(['orders'], { home });
    for (const id of [ERASED, OTHER]) await makeWorkflows(openTenant(site, id));
    await site.close();
    await cp(home, copy, { recursive: true });
    site = await startAttackSite(['orders'], { home });
    wrapped = Object.fromEntries([ERASED, OTHER].map((id) => [id, wrappedKeysOf(site, id)]));
  });
  after(async () => {
    await site?.close();
    for (const folder of [home, copy]) await rm(folder, { recursive: true, force: true });
  });

  test('one command erases a namespace: within seconds all its calls are refused, those under way too', async () => {
    const tenant = openTenant(site, ERASED);
    await assertReadable(tenant);
    const taskQueue = { name: 'orders' };
    const poll = tenant.call('PollWorkflowTaskQueue', { taskQueue }, { timeoutMs: 30_000 });
    await site.engine.waitFor('PollWorkflowTaskQueue orders_local');
    const command = startGatehouse([
      ...['keys', 'destroy', '--home', home, '--namespace', ERASED, '--confirm', ERASED],
    ]);
    assert.equal(await command.ended, 0, command.stderr());
    assert.match(command.stdout(), /^orders\.local: 2 keys destroyed/);
    await until(
      'its calls are refused',
      async () => (await read(tenant, 'open')).status === FAILED_PRECONDITION,
      5000,
    );
    await assertErased(tenant);
    // Nobody but the engine could make a task for it now.
    const workflowExecution = { workflowId: 'open' };
    const signal = { workflowExecution, signalName: 'past the gateway' };
    await openEngineReader(site.house, ERASED).ask('SignalWorkflowExecution', signal);
    const { status, message, body } = await poll;
    assert.deepEqual(
      [status, message, body.length],
      [FAILED_PRECONDITION, refusals.namespace_erased.text, 0],
    );
  });

  test('the other namespace reads what it has, and its running workflow goes on to its end', async () => {
    await assertReadable(openTenant(site, OTHER));
    await finishRunning(openTenant(site, OTHER));
  });

  test('no file of the home holds the erased keys any more, though the engine still holds what they sealed', async () => {
    const [gone = [], kept = []] = [ERASED, OTHER].map((id) => wrapped[id]);
    assert.equal(gone.length, 2);
    assert.deepEqual(await findWords(home, [...gone, ...kept]), kept);
    const reader = openEngineReader(site.house, ERASED);
    const history = await reader.ask('GetWorkflowExecutionHistory', { execution: { workflowId: 'closed' } });
    const [input] = history.history.events[0].attributes.value.input.payloads;
    assert.equal(Buffer.from(input.metadata.encoding).toString(), 'binary/gatehouse');
  });

  test('the audit chain tells who destroyed the keys of which namespace, and verifies', async () => {
    const record = await until('the record', async () =>
      (await site.house.events()).find(({ method }) => method === 'keys.destroy'),
    );
    const { namespace, outcome, principal, kind } = record;
    assert.deepEqual(
      { namespace, outcome, principal, kind },
      { namespace: ERASED, outcome: 'ok', principal: 'operator:command', kind: 'admin' },
    );
    const verify = startGatehouse(['audit', 'verify', '--home', home]);
    assert.equal(await verify.ended, 0, verify.stdout() + verify.stderr());
  });

  test('it stays erased after a restart, also where the engine is given its data from before', async () => {
    await site.close();
    await rm(join(home, 'engine'), { recursive: true });
    await cp(join(copy, 'engine'), join(home, 'engine'), { recursive: true });
    site = await startAttackSite(['orders'], { home });
    await assertErased(openTenant(site, ERASED));
    await assertReadable(openTenant(site, OTHER));
    const rotate = startGatehouse(['keys', 'rotate', '--home', home, '--namespace', ERASED]);
    assert.equal(await rotate.ended, 1);
    assert.match(rotate.stderr(), /the namespace's data was erased/);
    await assertErased(openTenant(site, ERASED));
  });

  test('a copy of the whole home, KMS key and all, from before still reads it: only the KMS key decides about backups', async () => {
    await site.close();
    site = await startAttackSite(['orders'], { home: copy });
    await assertReadable(openTenant(site, ERASED));
    await site.close();
    // Without the KMS key, as a backup is that was taken of the directory alone, nothing starts that could read it.
    await rm(join(copy, 'keys', 'local-kms.key'));
    const up = startGatehouse(['up', '--home', copy, '--port', '0', '--once']);
    assert.notEqual(await up.ended, 0);
    assert.match(up.stderr(), /restore that key/);
    site = await startAttackSite(['orders'], { home });
  });
});

/** One workflow that has ended with a result, and one that runs, with signal and memo. */
async function makeWorkflows(tenant: RawTenant): Promise<void> {
  for (const workflowId of ['closed', 'open']) {
    const memo = { fields: { note: payload(`memo of ${tenant.id}`) } };
    await tenant.start(workflowId, { input: payloads(`input of ${tenant.id}`), memo });
    const end = workflowId === 'closed' ? [commands.completeWorkflow()] : [];
    assert.equal((await tenant.complete(await tenant.takeTask(), end)).status, 0);
  }
}

/** A workflow task of the running one shows all of its history to a Worker, which then ends it. */
async function finishRunning(tenant: RawTenant): Promise<void> {
  const workflowExecution = { workflowId: 'open' };
  await tenant.ask('SignalWorkflowExecution', {
    workflowExecution,
    signalName: 'go',
    input: payloads(`signal of ${tenant.id}`),
  });
  const task = await tenant.takeTask();
  const signal = task.history.events.find((it: Reply) => it.attributes.case.includes('Signaled'));
  assert.equal(textOf(signal.attributes.value.input.payloads[0]), `signal of ${tenant.id}`);
  assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
  const { workflowExecutionInfo } = await tenant.ask('DescribeWorkflowExecution', {
    execution: workflowExecution,
  });
  assert.equal(workflowExecutionInfo.status, COMPLETED);
}

const read = (tenant: RawTenant, workflowId: string): Promise<RawAnswer> =>
  tenant.call('GetWorkflowExecutionHistory', { execution: { workflowId } });

async function assertReadable(tenant: RawTenant): Promise<void> {
  for (const workflowId of ['closed', 'open']) {
    const execution = { workflowId };
    const { history } = await tenant.ask('GetWorkflowExecutionHistory', { execution });
    const [input] = history.events[0].attributes.value.input.payloads;
    assert.equal(textOf(input), `input of ${tenant.id}`);
    const { workflowExecutionInfo } = await tenant.ask('DescribeWorkflowExecution', { execution });
    assert.equal(textOf(workflowExecutionInfo.memo.fields.note), `memo of ${tenant.id}`);
  }
}

async function assertErased(tenant: RawTenant): Promise<void> {
  const execution = { workflowId: 'open' };
  const calls: readonly [string, Record<string, unknown>][] = [
    ['GetWorkflowExecutionHistory', { execution }],
    ['GetWorkflowExecutionHistory', { execution: { workflowId: 'closed' } }],
    ['DescribeWorkflowExecution', { execution }],
    ['ListWorkflowExecutions', {}],
    ['SignalWorkflowExecution', { workflowExecution: execution, signalName: 'go', input: payloads('x') }],
    ['SignalWorkflowExecution', { workflowExecution: execution, signalName: 'go' }],
    ['TerminateWorkflowExecution', { workflowExecution: execution }],
    ['PollWorkflowTaskQueue', { taskQueue: { name: 'orders' } }],
    [
      'StartWorkflowExecution',
      {
        workflowId: 'new',
        workflowType: { name: 'orders' },
        taskQueue: { name: 'orders' },
        requestId: 'new',
      },
    ],
  ];
  for (const [method, fields] of calls) {
    const { status, message, body } = await tenant.call(method, { namespace: tenant.id, ...fields });
    assert.deepEqual(
      { method, status, message, bytes: body.length },
      { method, status: FAILED_PRECONDITION, message: refusals.namespace_erased.text, bytes: 0 },
    );
  }
}

function wrappedKeysOf({ house }: AttackSite, id: string): readonly string[] {
  const { directory } = house.up.platform;
  const uuid = directory.snapshot().namespaces.get(id)?.uuid ?? '';
  return directory.namespaceKeys(uuid).map((row) => row.wrapped);
}
