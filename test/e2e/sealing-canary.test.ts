import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { createCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { exchangeMessages, updateMessage } from './canary-messages.ts';
import { type CanaryTenant, command, openCanaryTenant } from './canary-tenant.ts';
import { type Reply, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';
import {
  addSearchAttributes,
  attributes,
  KEYWORD,
  KEYWORD_LIST,
  untilAttributesWork,
} from './search-attributes.ts';
import { searchHouse } from './stored-bytes.ts';

// threats.md T-080, in the real store: a tenant says a word of its own in everything that it can say, and afterwards
// all that the platform has on disk is searched for any of them. Each test drives a part; the last ones search.

const ID = 'default.local';
/** Stands where nothing is sealed: that it is found shows that the search would find the others. */
const READABLE = 'Kanarienvogel-in-a-reason';

let site: AttackSite;
let tenant: CanaryTenant;
const canaries = createCanaries();

before(async () => {
  site = await startAttackSite([], {
    encryption: { sealing: 'on', sealedAttributes: ['Customer', 'Tags'] },
  });
  tenant = openCanaryTenant(site, ID, canaries);
  await addSearchAttributes(site.house, ID, { Customer: KEYWORD, Tags: KEYWORD_LIST });
  await untilAttributesWork(tenant, { Customer: 'x', Tags: ['x'] });
});
after(() => site.close());

type Fields = Record<string, unknown>;

const metadata = (place: string): Fields => ({
  summary: tenant.say(`${place}, summary`),
  details: tenant.say(`${place}, details`),
});
const sealedAttributes = (place: string): Fields =>
  attributes({ Customer: tenant.word(`${place}, Keyword`), Tags: [tenant.word(`${place}, list`), 'plain'] });
const start = (workflowId: string, queue: string): Promise<Reply> =>
  tenant.start(workflowId, {
    taskQueue: { name: queue },
    input: tenant.input('start, input'),
    header: tenant.map('start, header'),
    memo: tenant.map('start, memo'),
    searchAttributes: sealedAttributes('start'),
    userMetadata: metadata('start'),
  });
const execution = (workflowId: string): Fields => ({ workflowExecution: { workflowId } });
const history = (workflowId: string): Promise<Reply> =>
  tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId } });
test('a workflow with all that a start can carry, an activity that fails and goes on from its heartbeat, markers, timers', async () => {
  await start('all', 'all');
  const first = await tenant.takeTask('all');
  const activity = {
    activityId: 'pay',
    activityType: { name: 'pay' },
    taskQueue: { name: 'all' },
    input: tenant.input('activity, input'),
    header: tenant.map('activity, header'),
    startToCloseTimeout: { seconds: 60n },
    heartbeatTimeout: { seconds: 60n },
    retryPolicy: { initialInterval: { nanos: 50_000_000 }, backoffCoefficient: 1, maximumAttempts: 3 },
  };
  const timer = { timerId: 't', startToFireTimeout: { seconds: 3600n } };
  const marker = {
    markerName: 'LocalActivity',
    details: { data: tenant.input('marker, data'), result: tenant.input('marker, result') },
    header: tenant.map('marker, header'),
    failure: tenant.failure('marker, failure'),
  };
  await tenant.finish(first, [
    command(1, 'scheduleActivityTask', activity, metadata('activity')),
    command(3, 'startTimer', timer, metadata('timer')),
    command(9, 'recordMarker', marker),
    command(13, 'upsertWorkflowSearchAttributes', { searchAttributes: sealedAttributes('upsert') }),
    command(16, 'modifyWorkflowProperties', { upsertedMemo: tenant.map('upsert, memo') }),
  ]);
  const attempt = await tenant.takeActivity('all');
  await tenant.ask('RecordActivityTaskHeartbeat', {
    taskToken: attempt.taskToken,
    details: tenant.input('heartbeat'),
  });
  await tenant.ask('DescribeWorkflowExecution', { execution: { workflowId: 'all' } });
  const failed = await tenant.ask('RespondActivityTaskFailed', {
    taskToken: attempt.taskToken,
    failure: tenant.failure('activity, failure'),
    lastHeartbeatDetails: tenant.input('last heartbeat'),
  });
  assert.deepEqual(failed.failures, []);
  const described = await tenant.ask('DescribeWorkflowExecution', { execution: { workflowId: 'all' } });
  assert.match(described.pendingActivities[0].lastFailure.message, /^Kanarienvogel/);
  const again = await tenant.takeActivity('all');
  assert.equal(again.attempt, 2);
  await tenant.ask('RespondActivityTaskCompleted', {
    taskToken: again.taskToken,
    result: tenant.input('activity, result'),
  });
  const second = await tenant.takeTask('all');
  await tenant.finish(second, [
    command(4, 'completeWorkflowExecution', { result: tenant.input('workflow, result') }),
  ]);
  await history('all');
  await tenant.ask('DescribeWorkflowExecution', { execution: { workflowId: 'all' } });
});

test('activities by id: heartbeat, failure, cancellation; and the failure of a workflow', async () => {
  await start('by-id', 'by-id');
  const ids = ['fails', 'cancels', 'completes'];
  const schedule = (activityId: string): Fields =>
    command(1, 'scheduleActivityTask', {
      activityId,
      activityType: { name: 'pay' },
      taskQueue: { name: 'by-id' },
      startToCloseTimeout: { seconds: 60n },
      retryPolicy: { maximumAttempts: 1 },
    });
  await tenant.finish(await tenant.takeTask('by-id'), ids.map(schedule));
  for (const _ of ids) await tenant.takeActivity('by-id');
  const by = (activityId: string): Fields => ({ workflowId: 'by-id', activityId });
  await tenant.ask('RecordActivityTaskHeartbeatById', {
    ...by('fails'),
    details: tenant.input('heartbeat by id'),
  });
  await tenant.ask('DescribeWorkflowExecution', { execution: { workflowId: 'by-id' } });
  await tenant.ask('RespondActivityTaskFailedById', {
    ...by('fails'),
    failure: tenant.failure('activity by id, failure'),
  });
  await tenant.ask('RespondActivityTaskCompletedById', {
    ...by('completes'),
    result: tenant.input('activity by id, result'),
  });
  const task = await tenant.takeTask('by-id');
  const { eventId } = task.history.events.find(
    (event: Reply) => event.attributes.value.activityId === 'cancels',
  );
  await tenant.finish(task, [command(2, 'requestCancelActivityTask', { scheduledEventId: eventId })]);
  await tenant.ask('RespondActivityTaskCanceledById', {
    ...by('cancels'),
    details: tenant.input('activity by id, cancelled'),
  });
  const last = await tenant.takeTask('by-id');
  await tenant.finish(last, [
    command(5, 'failWorkflowExecution', { failure: tenant.failure('workflow, failure') }),
  ]);
  await history('by-id');
});

test('signals, queries and updates, with answers and refusals', async () => {
  await start('asked', 'asked');
  await exchangeMessages(tenant, 'asked');
  await tenant.ask('TerminateWorkflowExecution', {
    ...execution('asked'),
    reason: READABLE,
    details: tenant.input('termination, details'),
  });
  await history('asked');
});

test('a workflow task that fails, a child, a signal to it, continue-as-new, cancellation', async () => {
  await start('parent', 'parent');
  const broken = await tenant.takeTask('parent');
  await tenant.ask('RespondWorkflowTaskFailed', {
    taskToken: broken.taskToken,
    cause: 1,
    failure: tenant.failure('workflow task, failure'),
  });
  const child = {
    namespace: ID,
    workflowId: 'child',
    workflowType: { name: 'orders' },
    taskQueue: { name: 'child' },
    input: tenant.input('child, input'),
    header: tenant.map('child, header'),
    memo: tenant.map('child, memo'),
    searchAttributes: sealedAttributes('child'),
  };
  await tenant.finish(await tenant.takeTask('parent'), [
    command(11, 'startChildWorkflowExecution', child, metadata('child')),
  ]);
  await tenant.finish(await tenant.takeTask('parent'), [
    command(12, 'signalExternalWorkflowExecution', {
      namespace: ID,
      execution: { workflowId: 'child' },
      signalName: 'wake',
      input: tenant.input('external signal, input'),
      header: tenant.map('external signal, header'),
    }),
  ]);
  await until('the signal has come to the child', async () => {
    const { events } = (await history('child')).history;
    return events.some(
      ({ attributes: { case: kind } }: Reply) => kind === 'workflowExecutionSignaledEventAttributes',
    );
  });
  const childTask = await tenant.takeTask('child');
  await tenant.finish(childTask, [
    command(5, 'failWorkflowExecution', { failure: tenant.failure('child, failure') }),
  ]);
  await until('the child has failed', async () => {
    const { events } = (await history('parent')).history;
    return events.some(
      ({ attributes: { case: kind } }: Reply) => kind === 'childWorkflowExecutionFailedEventAttributes',
    );
  });
  await tenant.finish(await tenant.takeTask('parent'), [
    command(10, 'continueAsNewWorkflowExecution', {
      workflowType: { name: 'orders' },
      taskQueue: { name: 'parent' },
      input: tenant.input('continue-as-new, input'),
      header: tenant.map('continue-as-new, header'),
      memo: tenant.map('continue-as-new, memo'),
      searchAttributes: sealedAttributes('continue-as-new'),
      lastCompletionResult: tenant.input('continue-as-new, last result'),
      failure: tenant.failure('continue-as-new, last failure'),
    }),
  ]);
  await tenant.ask('RequestCancelWorkflowExecution', { ...execution('parent'), reason: READABLE });
  const cancelled = await tenant.takeTask('parent');
  await tenant.finish(cancelled, [
    command(7, 'cancelWorkflowExecution', { details: tenant.input('cancellation, details') }),
  ]);
  await history('parent');
});

test('signal with start, several operations in one call, a reset', async () => {
  const base = { workflowType: { name: 'orders' }, taskQueue: { name: 'more' }, requestId: 'r' };
  await tenant.ask('SignalWithStartWorkflowExecution', {
    ...base,
    workflowId: 'signalled',
    input: tenant.input('signal with start, input'),
    signalName: 'wake',
    signalInput: tenant.input('signal with start, signal'),
    header: tenant.map('signal with start, header'),
    memo: tenant.map('signal with start, memo'),
    searchAttributes: sealedAttributes('signal with start'),
    userMetadata: metadata('signal with start'),
  });
  await tenant.finish(await tenant.takeTask('more'), []);
  await tenant.ask('ResetWorkflowExecution', {
    ...execution('signalled'),
    reason: READABLE,
    workflowTaskFinishEventId: 4n,
    requestId: 'reset',
  });
  await history('signalled');
  const task = await tenant.takeTask('more');
  await tenant.finish(task, [command(4, 'completeWorkflowExecution', {})]);

  const operation = (name: string, value: Fields): Fields => ({ operation: { case: name, value } });
  const both = tenant.call('ExecuteMultiOperation', {
    operations: [
      operation('startWorkflow', {
        ...base,
        namespace: ID,
        workflowId: 'both',
        taskQueue: { name: 'both' },
        workflowIdConflictPolicy: 2,
        input: tenant.input('update with start, input'),
        memo: tenant.map('update with start, memo'),
        searchAttributes: sealedAttributes('update with start'),
      }),
      operation('updateWorkflow', {
        namespace: ID,
        ...execution('both'),
        waitPolicy: { lifecycleStage: 3 },
        request: { meta: { updateId: 'u' }, input: { name: 'set', args: tenant.input('update with start') } },
      }),
    ],
  });
  const first = await tenant.takeTask('both');
  const [message] = first.messages;
  const rejection = {
    rejectedRequestMessageId: message.id,
    failure: tenant.failure('update with start, rejection'),
  };
  await tenant.finish(first, [], { messages: [updateMessage(first, 'reject', 'Rejection', rejection)] });
  assert.equal((await both).status, 0);
  await history('both');
});

test('a schedule, what it starts, and a batch that signals', async () => {
  const workflow = {
    workflowId: 'nightly',
    workflowType: { name: 'scheduled' },
    taskQueue: { name: 'scheduled' },
    input: tenant.input('scheduled run, input'),
    header: tenant.map('scheduled run, header'),
    memo: tenant.map('scheduled run, memo'),
    searchAttributes: sealedAttributes('scheduled run'),
    userMetadata: metadata('scheduled run'),
  };
  await tenant.ask('CreateSchedule', {
    scheduleId: 'nightly',
    requestId: 'create',
    memo: tenant.map('schedule, memo'),
    searchAttributes: sealedAttributes('schedule'),
    schedule: {
      spec: { interval: [{ interval: { seconds: 86_400n } }] },
      action: { action: { case: 'startWorkflow', value: workflow } },
      state: { notes: READABLE },
    },
    initialPatch: { triggerImmediately: { overlapPolicy: 6 } },
  });
  const task = await tenant.takeTask('scheduled');
  await tenant.finish(task, []);
  await tenant.ask('DescribeSchedule', { scheduleId: 'nightly' });
  await until('the schedule is listed', async () => {
    const { schedules } = await tenant.ask('ListSchedules', {});
    return schedules.length === 1;
  });
  const visibilityQuery = `WorkflowType = 'scheduled'`;
  await until('its run is listed', async () => {
    const { executions } = await tenant.ask('ListWorkflowExecutions', { query: visibilityQuery });
    return executions.length === 1;
  });
  await tenant.ask('StartBatchOperation', {
    jobId: 'signal-all',
    reason: READABLE,
    visibilityQuery,
    operation: {
      case: 'signalOperation',
      value: {
        signal: 'wake',
        identity: 'raw',
        input: tenant.input('batch signal, input'),
        header: tenant.map('batch signal, header'),
      },
    },
  });
  await until('the batch is done', async () => {
    const job = await tenant.ask('DescribeBatchOperation', { jobId: 'signal-all' });
    return job.state === 2 && Number(job.completeOperationCount) === 1;
  });
  const signalled = await tenant.takeTask('scheduled');
  await tenant.finish(signalled, [command(4, 'completeWorkflowExecution', {})]);
});

test("T-079b lists show the engine's own workflows too, whose memos it wrote, where a query asks for them", async () => {
  const query = 'TemporalNamespaceDivision IS NOT NULL';
  const { executions } = await tenant.ask('ListWorkflowExecutions', { query });
  const ids = executions.map((each: Reply) => each.execution.workflowId);
  assert.deepEqual(ids.sort(), ['signal-all', 'temporal-sys-scheduler:nightly']);
});

test('T-080 everything that was said came back through the gateway as it was said', () => {
  // Dropped by the engine, sealed or not: it keeps its own copy of an update, and sends signals without a header.
  const dropped = /^(?:batch signal, header|update, arguments as accepted)/;
  const shown = [...canaries.places].filter(([, place]) => !dropped.test(place));
  const unheard = shown.filter(([text]) => !tenant.heard.has(text)).map(([, place]) => place);
  assert.deepEqual(unheard, []);
  assert.ok(canaries.places.size > 200, `${canaries.places.size} places`);
});

test('T-080 none of it is anywhere on the disk: stores, write-ahead logs, logs, records, open files', async () => {
  const hits = await searchHouse(site.house);
  const [readable, others] = [
    hits.filter(({ around }) => around.includes(READABLE)),
    hits.filter(({ around }) => !around.includes(READABLE)),
  ];
  assert.deepEqual(others, []);
  const found = new Set(readable.map(({ where }) => where.replace(/^.*[/ ](?=[\w.-]+$)/, '')));
  for (const place of ['temporal.db', 'temporal.db-wal', 'history_node.data', 'executions_visibility.memo'])
    assert.ok(found.has(place), `the search looks into ${place}: ${[...found]}`);
});

test('none of all this was refused by the gateway', async () => {
  assert.deepEqual(await refusedCalls(site.house), []);
});
