import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { command, jsonPayload } from './canary-tenant.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';

// What the engine copies from one place to another, with sealing on and with sealing off: each test plays the same in
// both namespaces and compares what came out. That is why a seal is not bound to a workflow, a run or a field.

const SEALED = 'default.local';
const OPEN = 'open.local';

let site: AttackSite;
let tenants: readonly RawTenant[];

before(async () => {
  site = await startAttackSite(['open']);
  await site.house.up.platform.directory.write.setEncryption(OPEN, { sealing: 'off' });
  tenants = [SEALED, OPEN].map((id) => openTenant(site, id));
});
after(() => site.close());

type Fields = Record<string, unknown>;

const input = (text: string): Fields => ({ payloads: [jsonPayload(text)] });
const fields = (text: string): Fields => ({ fields: { note: jsonPayload(text) } });
const failure = (message: string): Fields => ({
  message,
  stackTrace: `at ${message}`,
  failureInfo: {
    case: 'applicationFailureInfo',
    value: { type: 'Refused', details: { payloads: [jsonPayload(`${message}, details`)] } },
  },
});

/** Plays in both namespaces. What a caller sees must be the same, and must be as expected. */
async function same<T>(expected: T, play: (tenant: RawTenant) => Promise<T>): Promise<void> {
  for (const tenant of tenants) assert.deepEqual(await play(tenant), expected, tenant.id);
}

/** All texts of the payloads in a part of a reply, in their order; undefined where there is no such part. */
function textsOf(part: Reply): readonly unknown[] | undefined {
  if (part === undefined) return undefined;
  const payloads = part.payloads ?? Object.values(part.fields);
  return payloads.map(({ data }: { data: Uint8Array }) => JSON.parse(Buffer.from(data).toString('utf8')));
}

function wordsOf(part: Reply): Fields | undefined {
  if (part === undefined) return undefined;
  const { message, stackTrace, failureInfo } = part;
  return { message, stackTrace, details: textsOf(failureInfo.value.details) };
}
const failureWords = (message: string): Fields => ({
  message,
  stackTrace: `at ${message}`,
  details: [`${message}, details`],
});

/** What the start of a run says. */
function startOf(task: Reply): Fields {
  const { value } = task.history.events[0].attributes;
  return {
    input: textsOf(value.input),
    header: textsOf(value.header),
    memo: textsOf(value.memo),
    lastResult: textsOf(value.lastCompletionResult),
    lastFailure: wordsOf(value.continuedFailure),
  };
}
const begun = { input: ['in'], header: ['head'], memo: ['note'] };
const start = (tenant: RawTenant, workflowId: string, more: Fields = {}): Promise<Reply> =>
  tenant.start(workflowId, {
    taskQueue: { name: workflowId },
    input: input('in'),
    header: fields('head'),
    memo: fields('note'),
    ...more,
  });
const completeWith = (result: string): Fields =>
  command(4, 'completeWorkflowExecution', { result: input(result) });
const failWith = (message: string): Fields =>
  command(5, 'failWorkflowExecution', { failure: failure(message) });
async function complete(tenant: RawTenant, task: Reply, list: readonly Fields[]): Promise<void> {
  const answer = await tenant.complete(task, list);
  assert.equal(answer.status, 0, answer.message);
}

test('a cron workflow begins each run with its input, the last result and the last failure', async () => {
  const runs = [
    { ...begun, lastResult: undefined, lastFailure: undefined },
    { ...begun, lastResult: ['first'], lastFailure: undefined },
    { ...begun, lastResult: ['first'], lastFailure: failureWords('second') },
  ];
  await same(runs, async (tenant) => {
    await start(tenant, 'cron', { cronSchedule: '@every 1s' });
    const seen: Fields[] = [];
    for (const end of [completeWith('first'), failWith('second'), undefined]) {
      const task = await tenant.takeTask('cron');
      seen.push(startOf(task));
      if (end !== undefined) await complete(tenant, task, [end]);
    }
    await tenant.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId: 'cron' } });
    return seen;
  });
});

test('a workflow that is retried begins again with its input and the failure before', async () => {
  const runs = [
    { ...begun, lastResult: undefined, lastFailure: undefined },
    { ...begun, lastResult: undefined, lastFailure: failureWords('once') },
  ];
  await same(runs, async (tenant) => {
    const retryPolicy = { initialInterval: { nanos: 100_000_000 }, maximumAttempts: 2 };
    await start(tenant, 'retried', { retryPolicy });
    const first = await tenant.takeTask('retried');
    await complete(tenant, first, [failWith('once')]);
    const second = await tenant.takeTask('retried');
    await complete(tenant, second, [completeWith('done')]);
    return [startOf(first), startOf(second)];
  });
});

test('continue-as-new hands on what its Worker says, the last result among it', async () => {
  const expected = {
    ...begun,
    input: ['next'],
    lastResult: ['so far'],
    lastFailure: failureWords('so far'),
  };
  await same(expected, async (tenant) => {
    await start(tenant, 'continued');
    await complete(tenant, await tenant.takeTask('continued'), [
      commands.continueAsNew({
        workflowType: { name: 'orders' },
        taskQueue: { name: 'continued' },
        input: input('next'),
        header: fields('head'),
        memo: fields('note'),
        lastCompletionResult: input('so far'),
        failure: failure('so far'),
      }),
    ]);
    const task = await tenant.takeTask('continued');
    await complete(tenant, task, [completeWith('done')]);
    return startOf(task);
  });
});

test('an activity that is retried gets its input, its header and its last heartbeat; its last failure is shown', async () => {
  const expected = [
    { input: ['pay'], header: ['head'], heartbeat: undefined, lastFailure: undefined },
    { input: ['pay'], header: ['head'], heartbeat: ['half'], lastFailure: failureWords('once') },
  ];
  await same(expected, async (tenant) => {
    await start(tenant, 'activity');
    const activity = {
      activityId: 'pay',
      activityType: { name: 'pay' },
      taskQueue: { name: 'activity' },
      input: input('pay'),
      header: fields('head'),
      startToCloseTimeout: { seconds: 60n },
      retryPolicy: { initialInterval: { nanos: 100_000_000 } },
    };
    await complete(tenant, await tenant.takeTask('activity'), [commands.scheduleActivity(activity)]);
    const seen: Fields[] = [];
    for (const attempt of [1, 2]) {
      const task = await tenant.takeActivity('activity');
      const { pendingActivities } = await tenant.ask('DescribeWorkflowExecution', {
        execution: { workflowId: 'activity' },
      });
      seen.push({
        input: textsOf(task.input),
        header: textsOf(task.header),
        heartbeat: textsOf(task.heartbeatDetails),
        lastFailure: wordsOf(pendingActivities[0].lastFailure),
      });
      const { taskToken } = task;
      if (attempt === 2) await tenant.ask('RespondActivityTaskCompleted', { taskToken });
      else {
        await tenant.ask('RecordActivityTaskHeartbeat', { taskToken, details: input('half') });
        await tenant.ask('RespondActivityTaskFailed', { taskToken, failure: failure('once') });
      }
    }
    return seen;
  });
});

test("an activity that times out: the engine's own failure carries the last heartbeat", async () => {
  await same([['half'], 'activity Heartbeat timeout'], async (tenant) => {
    await start(tenant, 'silent');
    const activity = {
      activityId: 'pay',
      activityType: { name: 'pay' },
      taskQueue: { name: 'silent' },
      startToCloseTimeout: { seconds: 60n },
      heartbeatTimeout: { seconds: 1n },
      retryPolicy: { maximumAttempts: 1 },
    };
    await complete(tenant, await tenant.takeTask('silent'), [commands.scheduleActivity(activity)]);
    const { taskToken } = await tenant.takeActivity('silent');
    await tenant.ask('RecordActivityTaskHeartbeat', { taskToken, details: input('half') });
    const task = await tenant.takeTask('silent');
    const { failure: said } = task.history.events.find(
      ({ attributes }: Reply) => attributes.case === 'activityTaskTimedOutEventAttributes',
    ).attributes.value;
    await complete(tenant, task, [completeWith('done')]);
    return [textsOf(said.failureInfo.value.lastHeartbeatDetails), said.message];
  });
});

test('a reset run has the history of the run before, and the signals that came later', async () => {
  await same([{ ...begun, lastResult: undefined, lastFailure: undefined }, ['later']], async (tenant) => {
    await start(tenant, 'reset');
    await complete(tenant, await tenant.takeTask('reset'), []);
    await tenant.ask('SignalWorkflowExecution', {
      workflowExecution: { workflowId: 'reset' },
      signalName: 'wake',
      input: input('later'),
    });
    await tenant.ask('ResetWorkflowExecution', {
      workflowExecution: { workflowId: 'reset' },
      reason: 'test',
      requestId: 'reset',
      workflowTaskFinishEventId: 4n,
    });
    const task = await tenant.takeTask('reset');
    const signal = task.history.events.find(
      ({ attributes }: Reply) => attributes.case === 'workflowExecutionSignaledEventAttributes',
    );
    await complete(tenant, task, [completeWith('done')]);
    return [startOf(task), textsOf(signal.attributes.value.input)];
  });
});

test('a child gets what its parent says, and the parent its result', async () => {
  const childStart = { input: ['for the child'], header: ['head'], memo: ['inherited'] };
  const expected = [{ ...childStart, lastResult: undefined, lastFailure: undefined }, ['from the child']];
  await same(expected, async (tenant) => {
    await start(tenant, 'parent', { memo: fields('inherited') });
    const first = await tenant.takeTask('parent');
    // As the SDKs do it: the memo of the start is handed on.
    const { memo } = first.history.events[0].attributes.value;
    await complete(tenant, first, [
      commands.startChild({
        namespace: tenant.id,
        workflowId: 'child',
        workflowType: { name: 'orders' },
        taskQueue: { name: 'child' },
        input: input('for the child'),
        header: fields('head'),
        memo,
      }),
    ]);
    const child = await tenant.takeTask('child');
    await complete(tenant, child, [completeWith('from the child')]);
    const result = await until('the parent has its result', async () => {
      const task = await tenant.takeTask('parent');
      await complete(tenant, task, []);
      return task.history.events.find(
        ({ attributes }: Reply) => attributes.case === 'childWorkflowExecutionCompletedEventAttributes',
      );
    });
    await tenant.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId: 'parent' } });
    return [startOf(child), textsOf(result.attributes.value.result)];
  });
});

test('a run that a schedule starts has what the schedule says, also with the result of the run before', async () => {
  const expected = [
    { ...begun, lastResult: undefined, lastFailure: undefined },
    { ...begun, lastResult: ['first'], lastFailure: undefined },
    { ...begun, lastResult: ['first'], lastFailure: failureWords('second') },
  ];
  await same(expected, async (tenant) => {
    const workflow = {
      workflowId: 'scheduled',
      workflowType: { name: 'orders' },
      taskQueue: { name: 'scheduled' },
      input: input('in'),
      header: fields('head'),
      memo: fields('note'),
    };
    await tenant.ask('CreateSchedule', {
      scheduleId: 'scheduled',
      requestId: 'create',
      schedule: { action: { action: { case: 'startWorkflow', value: workflow } } },
    });
    const seen: Fields[] = [];
    for (const end of [completeWith('first'), failWith('second'), completeWith('third')]) {
      await until('the schedule knows that nothing runs', async () => {
        const { info } = await tenant.ask('DescribeSchedule', { scheduleId: 'scheduled' });
        return info.runningWorkflows.length === 0;
      });
      await tenant.ask('PatchSchedule', {
        scheduleId: 'scheduled',
        requestId: `run-${seen.length}`,
        patch: { triggerImmediately: {} },
      });
      const task = await tenant.takeTask('scheduled');
      seen.push(startOf(task));
      await complete(tenant, task, [end]);
    }
    await tenant.ask('DeleteSchedule', { scheduleId: 'scheduled' });
    return seen;
  });
});

test('a long failure keeps its words when its activity is retried', async () => {
  const long = 'x'.repeat(60_000);
  await same([long.length, 3], async (tenant) => {
    await start(tenant, 'long');
    const activity = {
      activityId: 'pay',
      activityType: { name: 'pay' },
      taskQueue: { name: 'long' },
      startToCloseTimeout: { seconds: 60n },
      retryPolicy: { initialInterval: { nanos: 100_000_000 } },
    };
    await complete(tenant, await tenant.takeTask('long'), [commands.scheduleActivity(activity)]);
    const { taskToken } = await tenant.takeActivity('long');
    await tenant.ask('RespondActivityTaskFailed', {
      taskToken,
      failure: {
        ...failure(long),
        stackTrace: 'at ',
        failureInfo: { case: 'applicationFailureInfo', value: {} },
      },
    });
    const { pendingActivities } = await tenant.ask('DescribeWorkflowExecution', {
      execution: { workflowId: 'long' },
    });
    await tenant.ask('TerminateWorkflowExecution', { workflowExecution: { workflowId: 'long' } });
    const { lastFailure } = pendingActivities[0];
    return [lastFailure.message.length, lastFailure.stackTrace.length];
  });
});

test('none of all this was refused by the gateway', async () => {
  assert.deepEqual(await refusedCalls(site.house), []);
});
