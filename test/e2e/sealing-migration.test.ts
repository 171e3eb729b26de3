import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { UpOptions } from '../../packages/gatehouse/src/app/up.ts';
import { refusals } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { createCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { type CanaryTenant, openCanaryTenant } from './canary-tenant.ts';
import { commands, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';
import { addSearchAttributes, attributes, KEYWORD, untilAttributesWork } from './search-attributes.ts';
import { searchHouse } from './stored-bytes.ts';

// threats.md T-079b, T-080: the life of the setting on one home. Off, with workflows left in the middle of their work;
// then wanted on, which reads both; off again; and at last the window is closed.

const ID = 'default.local';
const DATA_LOSS = 15;
const canaries = createCanaries();
const places = (prefix: string): string[] =>
  [...canaries.places].filter(([, place]) => place.startsWith(prefix)).map(([text]) => text);

let home: string;
let site: AttackSite;
let tenant: CanaryTenant;
/** Records from before this opening. */
let from = 0;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'gatehouse-migration-'));
});
after(async () => {
  await rm(home, { recursive: true, force: true });
});

async function open(encryption: NonNullable<UpOptions['encryption']>): Promise<void> {
  site = await startAttackSite([], { home, encryption });
  tenant = openCanaryTenant(site, ID, canaries);
  from = (await site.house.events()).length;
}

const sealingNow = (): string | undefined =>
  site.house.up.platform.directory.snapshot().namespaces.get(ID)?.sealing;

/** What of these words is on the disk, in any form. */
async function onDisk(words: readonly string[]): Promise<string[]> {
  const text = (await searchHouse(site.house)).map(({ around }) => around).join('\n');
  return words.filter((word) => text.includes(word));
}

async function begin(workflowId: string, place: string): Promise<void> {
  await tenant.start(workflowId, {
    taskQueue: { name: workflowId },
    input: tenant.input(`${place}, input`),
    memo: { fields: { note: tenant.say(`${place}, memo`) } },
    searchAttributes: attributes({ Customer: workflowId }),
  });
}

/** A workflow whose activity has failed once, has left its heartbeat, and is tried again. */
async function leaveInTheMiddle(workflowId: string, place: string): Promise<void> {
  await begin(workflowId, place);
  const activity = {
    activityId: 'pay',
    activityType: { name: 'pay' },
    taskQueue: { name: workflowId },
    input: tenant.input(`${place}, activity`),
    startToCloseTimeout: { seconds: 600n },
    retryPolicy: { initialInterval: { nanos: 100_000_000 }, backoffCoefficient: 1 },
  };
  await tenant.complete(await tenant.takeTask(workflowId), [commands.scheduleActivity(activity)]);
  const { taskToken } = await tenant.takeActivity(workflowId);
  await tenant.ask('RespondActivityTaskFailed', {
    taskToken,
    failure: tenant.failure(`${place}, failure`),
    lastHeartbeatDetails: tenant.input(`${place}, heartbeat`),
  });
}

/** Goes on where `leaveInTheMiddle` stopped, and checks that all of it is there as it was said. */
async function goOn(workflowId: string, place: string): Promise<void> {
  const heardBefore = tenant.heard.size;
  const described = await tenant.ask('DescribeWorkflowExecution', { execution: { workflowId } });
  assert.match(described.pendingActivities[0].lastFailure.message, /^Kanarienvogel/);
  const attempt = await tenant.takeActivity(workflowId);
  assert.equal(attempt.attempt, 2);
  assert.equal(attempt.heartbeatDetails.payloads.length, 1);
  const result = tenant.input(`${place}, result`);
  await tenant.ask('RespondActivityTaskCompleted', { taskToken: attempt.taskToken, result });
  const task = await tenant.takeTask(workflowId);
  assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
  assert.ok(tenant.heard.size > heardBefore);
  for (const text of places(place)) assert.ok(tenant.heard.has(text), canaries.places.get(text));
}

/** T-079: without a key to seal it with, what looks sealed is refused, so that no key of later opens it. */
async function assertReserved(): Promise<void> {
  const metadata = { encoding: new Uint8Array(Buffer.from('binary/gatehouse')) };
  const input = { payloads: [{ metadata, data: new Uint8Array(64).fill(1) }] };
  const { text } = refusals.payload_reserved;
  const workflow = {
    workflowId: 'reserved',
    workflowType: { name: 'orders' },
    taskQueue: { name: 'orders' },
  };
  await site.engine.settle();
  await site.engine.sawNothing(async () => {
    const single = await tenant.call('StartWorkflowExecution', { ...workflow, input });
    assert.deepEqual([single.status, single.message], [3, text]);
    const value = { ...workflow, namespace: ID, input };
    const operations = [{ operation: { case: 'startWorkflow', value } }];
    const several = await tenant.call('ExecuteMultiOperation', { operations });
    assert.deepEqual([several.status, several.message], [3, text]);
    const encoding = Buffer.from(metadata.encoding).toString('base64');
    const https = await requestRaw(site.house, {
      namespaceId: ID,
      credential: homeCredential(site.house.endpoint, ID),
      method: 'POST',
      target: `/api/v1/namespaces/${ID}/workflows/reserved`,
      headers: ['content-type: application/json'],
      body: JSON.stringify({ ...workflow, input: [{ metadata: { encoding }, data: 'AQEB' }] }),
    });
    assert.deepEqual([https.status, https.body.includes(text)], [400, true]);
  });
}

const historyStatus = async (workflowId: string): Promise<number> =>
  (await tenant.call('GetWorkflowExecutionHistory', { execution: { workflowId } })).status;

describe('the life of the setting', { concurrency: false }, () => {
  test('with sealing off everything lies in the store as it was said, so the search for it works', async (t) => {
    t.after(() => site.close());
    await open({ sealing: 'off' });
    assert.equal(sealingNow(), 'off');
    await addSearchAttributes(site.house, ID, { Customer: KEYWORD });
    await untilAttributesWork(tenant, { Customer: 'x' });
    await leaveInTheMiddle('old-1', 'old 1');
    await leaveInTheMiddle('old-2', 'old 2');
    await begin('old-waiting', 'old 3');
    await tenant.ask('CreateSchedule', {
      scheduleId: 'old',
      requestId: 'create',
      memo: { fields: { note: tenant.say('old schedule, memo') } },
      schedule: {
        action: {
          action: {
            case: 'startWorkflow',
            value: {
              workflowId: 'old-scheduled',
              workflowType: { name: 'orders' },
              taskQueue: { name: 'old-scheduled' },
              input: tenant.input('old schedule, input'),
            },
          },
        },
      },
    });
    await assertReserved();
    const found = await onDisk(places('old'));
    assert.deepEqual(found.sort(), places('old').sort());
  });

  test('T-079b wanted on, a namespace with data from before is switched to migrate: that goes on, and what is new is sealed', async (t) => {
    t.after(() => site.close());
    await open({ sealing: 'on', sealedAttributes: ['Customer'] });
    assert.equal(sealingNow(), 'migrate');
    await goOn('old-1', 'old 1');
    assert.deepEqual(
      await onDisk(places('old 1, result')),
      [],
      'an old workflow says nothing new in the open',
    );

    await tenant.ask('PatchSchedule', {
      scheduleId: 'old',
      requestId: 'trigger',
      patch: { triggerImmediately: { overlapPolicy: 6 } },
    });
    const task = await tenant.takeTask('old-scheduled');
    assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
    await tenant.ask('DescribeSchedule', { scheduleId: 'old' });
    await tenant.ask('ListSchedules', {});
    for (const text of places('old schedule')) assert.ok(tenant.heard.has(text));

    await leaveInTheMiddle('new-1', 'new 1');
    await goOn('new-1', 'new 1');
    await leaveInTheMiddle('new-2', 'new 2');
    assert.deepEqual(await onDisk(places('new')), []);

    const count = async (query: string): Promise<number> =>
      Number((await tenant.ask('CountWorkflowExecutions', { query })).count);
    await until(
      'what is new is found by its sealed attribute',
      async () => (await count("Customer = 'new-1'")) === 1,
    );
    // As is written down: values from before an attribute was sealed are not found by it.
    assert.equal(await count("Customer = 'old-2'"), 0);
    const { executions } = await tenant.ask('ListWorkflowExecutions', { query: "WorkflowId = 'old-2'" });
    const [old] = executions;
    assert.deepEqual(Buffer.from(old.searchAttributes.indexedFields.Customer.data).toString(), '"old-2"');
    assert.deepEqual(await refusedCalls(site.house, from), []);
  });

  test('off again: what was sealed meanwhile is read and goes on, what is new lies open', async (t) => {
    t.after(() => site.close());
    await open({ sealing: 'off' });
    assert.equal(sealingNow(), 'off');
    assert.deepEqual(
      await Promise.all(['old-1', 'old-2', 'new-1', 'new-2'].map(historyStatus)),
      [0, 0, 0, 0],
    );
    await goOn('new-2', 'new 2');
    const sealed = places('new 2').filter((text) => !canaries.places.get(text)?.includes('result'));
    assert.deepEqual(await onDisk(sealed), []);
    assert.deepEqual((await onDisk(places('new 2, result'))).sort(), places('new 2, result').sort());
    await begin('open', 'open 1');
    assert.notDeepEqual(await onDisk(places('open 1')), []);
    assert.deepEqual(await refusedCalls(site.house, from), []);
  });

  test('T-079b when the window is closed, what lies open is refused, and what is sealed goes on', async (t) => {
    t.after(() => site.close());
    // From off the way is through the window again.
    await open({ sealing: 'on' });
    assert.equal(sealingNow(), 'migrate');
    await begin('sealed', 'sealed 1');
    assert.equal(await historyStatus('old-2'), 0);
    await site.house.up.platform.directory.write.setEncryption(ID, { sealing: 'on' });
    assert.deepEqual(await Promise.all(['old-2', 'old-waiting', 'open'].map(historyStatus)), [
      DATA_LOSS,
      DATA_LOSS,
      DATA_LOSS,
    ]);
    assert.deepEqual(await Promise.all(['new-1', 'sealed'].map(historyStatus)), [0, 0]);
    const task = await tenant.takeTask('sealed');
    assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
    // New ones begin sealed and are read.
    await begin('last', 'last 1');
    assert.equal(await historyStatus('last'), 0);
  });

  test('T-079b the window does not open again by itself: a restart that wants on keeps it closed', async (t) => {
    t.after(() => site.close());
    await open({ sealing: 'on' });
    assert.equal(sealingNow(), 'on');
    assert.equal(await historyStatus('old-2'), DATA_LOSS);
    assert.equal(await historyStatus('new-1'), 0);
  });
});
