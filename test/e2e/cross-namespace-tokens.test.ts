import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import { createTokenKeyring } from '../../packages/gatehouse/src/base/crypto/token-keyring.ts';
import {
  type AttackSite,
  assertRefused,
  type ExpectedRefusal,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { decode, encode, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { startScriptedSite, TENANT } from '../../packages/gatehouse/src/testing/scripted-site.ts';
import { type Attack, bareToken, refusesAll } from './raw-attacks.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';

// threats.md T-043 and T-044: tokens of the engine, which it neither signs nor binds to a namespace.

const HOSTILE = 'default.local';
const VICTIM = 'beta.local';

let site: AttackSite;
let hostile: RawTenant;
let victim: RawTenant;

before(async () => {
  site = await startAttackSite(['beta']);
  hostile = openTenant(site, HOSTILE);
  victim = openTenant(site, VICTIM);
});
after(() => site.close());

const FOREIGN_TOKEN: ExpectedRefusal = { code: 'token_foreign', record: { severity: 'high' } };

const workflowTaskMethods = [
  'RespondWorkflowTaskCompleted',
  'RespondWorkflowTaskFailed',
  'RespondQueryTaskCompleted',
];
const activityTaskMethods = [
  'RecordActivityTaskHeartbeat',
  'RespondActivityTaskCompleted',
  'RespondActivityTaskFailed',
  'RespondActivityTaskCanceled',
];

/** A workflow of the victim with a workflow task and an activity task in flight, and a query task if wanted. */
async function tasksOf(tenant: RawTenant, workflowId: string) {
  const queue = { taskQueue: { name: workflowId } };
  await tenant.start(workflowId, queue);
  const first = await tenant.takeTask(workflowId);
  const seconds = { seconds: 60n };
  const activity = commands.scheduleActivity({
    activityId: 'a',
    activityType: { name: 'charge' },
    ...queue,
    scheduleToCloseTimeout: seconds,
    heartbeatTimeout: seconds,
  });
  assert.equal((await tenant.complete(first, [activity])).status, 0);
  const activityTask = await tenant.takeActivity(workflowId);
  const query = tenant.call('QueryWorkflow', {
    execution: { workflowId },
    query: { queryType: 'state' },
  });
  const queryTask = await tenant.takeTask(workflowId);
  assert.ok(queryTask.query, 'a query task');
  return { first, activityTask, queryTask, query };
}

test('T-043 a task token of another namespace is refused by every method that takes one, in the words of the engine', async () => {
  const { first, activityTask, queryTask, query } = await tasksOf(victim, 'tokens');
  const tokens = [first.taskToken, activityTask.taskToken, queryTask.taskToken];
  const attacks: Attack[] = [];
  for (const method of [...workflowTaskMethods, ...activityTaskMethods]) {
    for (const taskToken of tokens) {
      attacks.push(() => hostile.call(method, { namespace: HOSTILE, taskToken }));
      // An empty namespace is filled by the engine out of the token, before it authorizes (data-plane.md 2.1).
      attacks.push(() => hostile.call(method, { taskToken }));
    }
  }
  await refusesAll(site, { ...FOREIGN_TOKEN, record: { severity: 'high', namespace: HOSTILE } }, attacks);
  const answered = await victim.call('RespondQueryTaskCompleted', {
    taskToken: queryTask.taskToken,
    completedType: 1,
    queryResult: { payloads: [{ data: Buffer.from('fine') }] },
  });
  assert.equal(answered.status, 0, answered.message);
  assert.equal((await query).status, 0, 'the query of its owner is answered');
  assert.equal(
    (await victim.call('RespondActivityTaskCompleted', { taskToken: activityTask.taskToken })).status,
    0,
  );
});

test("T-043 the engine's own token, bare or of another kind of task, is refused in its own namespace too", async () => {
  const { activityTask, queryTask } = await tasksOf(hostile, 'bare');
  const bare = bareToken(site, hostile.id, activityTask.taskToken, 'activity-task');
  const bareWorkflow = bareToken(site, hostile.id, queryTask.taskToken, 'workflow-task');
  await refusesAll(site, FOREIGN_TOKEN, [
    ...activityTaskMethods.flatMap((method) =>
      [bare, queryTask.taskToken].map((taskToken) => () => hostile.call(method, { taskToken })),
    ),
    ...workflowTaskMethods.flatMap((method) =>
      [bareWorkflow, activityTask.taskToken].map((taskToken) => () => hostile.call(method, { taskToken })),
    ),
  ]);
  // The nexus methods are off, so they answer that, whatever the token.
  for (const method of ['RespondNexusTaskCompleted', 'RespondNexusTaskFailed', 'PollNexusTaskQueue']) {
    await assertRefused(site, await hostile.call(method, {}), { code: 'nexus_disabled' });
  }
});

test("T-044a a token flipped in any byte or made by hand is refused; one replayed gets the engine's NOT_FOUND", async () => {
  await hostile.start('replay', { taskQueue: { name: 'replay' } });
  const task = await hostile.takeTask('replay');
  const token = Buffer.from(task.taskToken);
  const flipped = Array.from({ length: token.length }, (_, at) => {
    const copy = Buffer.from(token);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  });
  const made = [Buffer.from('x'), token.subarray(1), Buffer.concat([token, token]), Buffer.alloc(64)];
  await refusesAll(
    site,
    FOREIGN_TOKEN,
    [...flipped, ...made].map(
      (taskToken) => () => hostile.call('RespondWorkflowTaskCompleted', { namespace: HOSTILE, taskToken }),
    ),
  );
  assert.equal((await hostile.complete(task, [commands.completeWorkflow()])).status, 0);
  const replayed = await hostile.complete(task, [commands.completeWorkflow()]);
  assert.equal(replayed.status, 5, replayed.message);
});

test('T-044b a page token opens for its own namespace, method, query and workflow only', async () => {
  for (const tenant of [hostile, victim]) {
    for (let index = 0; index < 3; index += 1) {
      await tenant.start(`page-${index}`, { workflowType: { name: 'paged' }, taskQueue: { name: 'paged' } });
    }
    await until('three are listed', async () => {
      const { count } = await tenant.ask('CountWorkflowExecutions', { query: `WorkflowType = 'paged'` });
      return Number(count) === 3;
    });
  }
  const query = `WorkflowType = 'paged'`;
  const page = async (tenant: RawTenant): Promise<Uint8Array> =>
    (await tenant.ask('ListWorkflowExecutions', { query, pageSize: 1 })).nextPageToken;
  const [mine, theirs] = [await page(hostile), await page(victim)];
  assert.ok(mine.length > 0 && theirs.length > 0);
  const execution = { workflowId: 'page-0' };
  const history = await hostile.ask('GetWorkflowExecutionHistory', { execution, maximumPageSize: 1 });
  const theirHistory = await victim.ask('GetWorkflowExecutionHistory', { execution, maximumPageSize: 1 });
  const list =
    (method: string, nextPageToken: Uint8Array, asked = query) =>
    () =>
      hostile.call(method, { query: asked, pageSize: 1, nextPageToken });
  const read =
    (method: string, workflowId: string, nextPageToken: Uint8Array, runId = '') =>
    () =>
      hostile.call(method, { execution: { workflowId, runId }, maximumPageSize: 1, nextPageToken });
  await refusesAll(site, FOREIGN_TOKEN, [
    list('ListWorkflowExecutions', theirs),
    list('ScanWorkflowExecutions', mine),
    list('ListArchivedWorkflowExecutions', mine),
    list('ListSchedules', mine),
    list('ListWorkflowExecutions', mine, ''),
    list('ListWorkflowExecutions', mine, `${query} OR WorkflowType = 'other'`),
    list('ListWorkflowExecutions', Buffer.from('{"CloseTime":"2020-01-01T00:00:00Z"}')),
    read('GetWorkflowExecutionHistory', 'page-0', theirHistory.nextPageToken),
    read('GetWorkflowExecutionHistory', 'page-1', history.nextPageToken),
    read('GetWorkflowExecutionHistory', 'page-0', history.nextPageToken, 'another-run'),
    read('GetWorkflowExecutionHistoryReverse', 'page-0', history.nextPageToken),
    read('GetWorkflowExecutionHistory', 'page-0', mine),
    read('GetWorkflowExecutionHistory', 'page-0', Buffer.from([0x0a, 1, 0x41])),
    () => hostile.call('RespondWorkflowTaskCompleted', { taskToken: mine }),
  ]);
  const seen = new Set<string>();
  let token = new Uint8Array(0);
  do {
    const reply: Reply = await hostile.ask('ListWorkflowExecutions', {
      query,
      pageSize: 1,
      nextPageToken: token,
    });
    for (const each of reply.executions) seen.add(each.execution.workflowId);
    token = reply.nextPageToken;
  } while (token.length > 0);
  assert.deepEqual(
    [...seen].sort(),
    ['page-0', 'page-1', 'page-2'],
    'its own pages can be turned to the end',
  );
  await hostile.ask('GetWorkflowExecutionHistory', { execution, nextPageToken: history.nextPageToken });
});

test("T-044b a workflow task's page token goes on with the history of its run, and with no other", async () => {
  await hostile.start('long-history', { taskQueue: { name: 'long-history' } });
  for (let index = 0; index < 3; index += 1) {
    await hostile.ask('SignalWorkflowExecution', {
      workflowExecution: { workflowId: 'long-history' },
      signalName: 's',
    });
  }
  const task = await hostile.takeTask('long-history');
  const { workflowId, runId } = task.workflowExecution;
  const history = await hostile.ask('GetWorkflowExecutionHistory', {
    execution: { workflowId, runId },
    maximumPageSize: 2,
  });
  const next = (execution: Record<string, string>) =>
    hostile.call('GetWorkflowExecutionHistory', { execution, nextPageToken: history.nextPageToken });
  assert.equal((await next({ workflowId, runId })).status, 0);
  await refusesAll(site, FOREIGN_TOKEN, [
    () => next({ workflowId }),
    () => next({ workflowId: 'target', runId }),
  ]);
  await hostile.complete(task, [commands.completeWorkflow()]);
});

const DAY_MS = 86_400_000;

test('T-044a a token from before a key rotation is accepted until the grace of its key ends, over the wire', async (t) => {
  const scripted = await startScriptedSite();
  t.after(() => scripted.close());
  let nowMs = 10 * DAY_MS;
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  const key = (id: number, createdAtMs: number) => ({
    id,
    createdAtMs,
    key: new Secret(Buffer.alloc(32, id)),
  });
  const options = { clock, activateAfterMs: 0, graceMs: DAY_MS };
  scripted.tokenKeys = createTokenKeyring([key(1, 0)], options);
  const client = scripted.open(TENANT);
  const engineToken = encode('common.v1.WorkflowExecution', {
    workflowId: scripted.record(TENANT).engineId ?? '',
  });
  scripted.engine.answer = ({ method }) =>
    method === 'PollActivityTaskQueue'
      ? { body: encode('workflowservice.v1.PollActivityTaskQueueResponse', { taskToken: engineToken }) }
      : {};
  const polled = await client.call(`${WORKFLOW_SERVICE}PollActivityTaskQueue`, new Uint8Array(0));
  const { taskToken } = decode('workflowservice.v1.PollActivityTaskQueueResponse', polled.body);
  const answer = () =>
    client.call(
      `${WORKFLOW_SERVICE}RespondActivityTaskCompleted`,
      encode('workflowservice.v1.RespondActivityTaskCompletedRequest', { taskToken }),
    );
  scripted.tokenKeys = createTokenKeyring([key(1, 0), key(2, nowMs)], options);
  nowMs += DAY_MS - 1;
  const { engineSaw } = await scripted.observe(answer);
  assert.equal(engineSaw, 1);
  const sent = decode(
    'workflowservice.v1.RespondActivityTaskCompletedRequest',
    scripted.engine.seen.at(-1)?.body ?? engineToken,
  );
  assert.deepEqual(
    Buffer.from(sent.taskToken),
    Buffer.from(engineToken),
    'the engine gets its own bytes back',
  );
  nowMs += 1;
  await scripted.refuses('token_foreign', answer);
});
