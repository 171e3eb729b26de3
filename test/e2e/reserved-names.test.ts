import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callEngine } from '../../packages/gatehouse/src/core/engine/engine-call.ts';
import { bindToken } from '../../packages/gatehouse/src/core/tokens/token-binding.ts';
import {
  type AttackSite,
  type ExpectedRefusal,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { decode, encode, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type Attack, refusesAll } from './raw-attacks.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';

// threats.md T-101: the engine's own workers poll inside the tenant's namespace with system rights. Nothing of
// theirs may be named, and nothing of theirs may be handed over, whatever the engine itself would allow.

const ID = 'default.local';
const SYSTEM_QUEUE = 'temporal-sys-per-ns-tq';
const SCHEDULER = 'temporal-sys-scheduler:daily';
const RESERVED: ExpectedRefusal = { code: 'reserved_name', record: { severity: 'high' } };

let site: AttackSite;
let tenant: RawTenant;

before(async () => {
  site = await startAttackSite();
  tenant = openTenant(site, ID);
  await tenant.ask('CreateSchedule', {
    namespace: ID,
    scheduleId: 'daily',
    requestId: 'daily',
    schedule: {
      spec: { interval: [{ interval: { seconds: 86_400n } }] },
      action: {
        action: {
          case: 'startWorkflow',
          value: {
            workflowId: 'scheduled',
            workflowType: { name: 'orders' },
            taskQueue: { name: 'scheduled' },
          },
        },
      },
      policies: { overlapPolicy: 6 },
    },
  });
});
after(() => site.close());

const start = (fields: Record<string, unknown>): Record<string, unknown> => ({
  namespace: ID,
  workflowId: 'reserved',
  workflowType: { name: 'orders' },
  taskQueue: { name: 'orders' },
  requestId: 'reserved',
  ...fields,
});

const SYSTEM_QUEUES: readonly string[] = [
  SYSTEM_QUEUE,
  `/_sys/${SYSTEM_QUEUE}/1`,
  '/_sys/orders/1',
  'temporal-sys-migration-activity-tq',
  '/temporal-sys/worker-commands/beta.local/x',
];

test("T-101a the engine's task queues are refused in polls, by name, by alias and under any kind", async () => {
  const attacks: Attack[] = [];
  for (const method of ['PollWorkflowTaskQueue', 'PollActivityTaskQueue']) {
    for (const name of SYSTEM_QUEUES) {
      for (const kind of [0, 1, 2, 99]) {
        attacks.push(() => tenant.call(method, { namespace: ID, taskQueue: { name, kind } }));
        attacks.push(() =>
          tenant.call(method, { namespace: ID, taskQueue: { name: 'mine', kind, normalName: name } }),
        );
      }
    }
  }
  for (const name of SYSTEM_QUEUES) {
    attacks.push(() => tenant.call('DescribeTaskQueue', { namespace: ID, taskQueue: { name } }));
    attacks.push(() => tenant.call('ListTaskQueuePartitions', { namespace: ID, taskQueue: { name } }));
    attacks.push(() => tenant.call('UpdateTaskQueueConfig', { namespace: ID, taskQueue: name }));
    attacks.push(() => tenant.call('ShutdownWorker', { namespace: ID, stickyTaskQueue: name }));
  }
  await refusesAll(site, RESERVED, attacks);
});

test("T-101a nothing is started on the engine's task queues or scheduled there", async () => {
  const attacks: Attack[] = [];
  for (const name of SYSTEM_QUEUES) {
    const onQueue = start({ taskQueue: { name } });
    attacks.push(() => tenant.call('StartWorkflowExecution', onQueue));
    attacks.push(() => tenant.call('SignalWithStartWorkflowExecution', { ...onQueue, signalName: 's' }));
    attacks.push(() =>
      tenant.call('ExecuteMultiOperation', {
        operations: [{ operation: { case: 'startWorkflow', value: onQueue } }],
      }),
    );
    attacks.push(() => tenant.call('CreateSchedule', scheduleOf({ taskQueue: { name } })));
    attacks.push(() => tenant.call('UpdateSchedule', scheduleOf({ taskQueue: { name } })));
    attacks.push(() =>
      tenant.call('UpdateActivityOptions', {
        execution: { workflowId: 'x' },
        activityOptions: { taskQueue: { name } },
        activity: { case: 'id', value: 'a' },
      }),
    );
  }
  await refusesAll(site, RESERVED, attacks);
});

function scheduleOf(action: Record<string, unknown>): Record<string, unknown> {
  const value = {
    workflowId: 'x',
    workflowType: { name: 'orders' },
    taskQueue: { name: 'orders' },
    ...action,
  };
  return {
    namespace: ID,
    scheduleId: 'reserved',
    requestId: 'r',
    schedule: { action: { action: { case: 'startWorkflow', value } } },
  };
}

test("T-101b the engine's own workflows take no signal, update, query, reset, cancellation or end from a tenant", async () => {
  const execution = { workflowId: SCHEDULER };
  const requests: readonly (readonly [string, Record<string, unknown>])[] = [
    ['SignalWorkflowExecution', { workflowExecution: execution, signalName: 'patch' }],
    ['SignalWithStartWorkflowExecution', start({ workflowId: SCHEDULER, signalName: 'patch' })],
    ['UpdateWorkflowExecution', { workflowExecution: execution, request: { input: { name: 'u' } } }],
    ['PollWorkflowExecutionUpdate', { updateRef: { workflowExecution: execution, updateId: 'u' } }],
    ['QueryWorkflow', { execution, query: { queryType: '__stack_trace' } }],
    ['ResetWorkflowExecution', { workflowExecution: execution, workflowTaskFinishEventId: 4n }],
    ['RequestCancelWorkflowExecution', { workflowExecution: execution }],
    ['TerminateWorkflowExecution', { workflowExecution: execution }],
    ['DeleteWorkflowExecution', { workflowExecution: execution }],
    ['UpdateWorkflowExecutionOptions', { workflowExecution: execution }],
    ['ResetStickyTaskQueue', { execution }],
    ['StartWorkflowExecution', start({ workflowId: SCHEDULER })],
    ['StartWorkflowExecution', start({ workflowId: 'temporal-sys-worker-deployment:x' })],
    ['PauseActivity', { execution, activity: { case: 'id', value: 'a' } }],
    ['RespondActivityTaskCompletedById', { workflowId: SCHEDULER, activityId: '1' }],
    ['RespondActivityTaskFailedById', { workflowId: SCHEDULER, activityId: '1' }],
    ['RespondActivityTaskCanceledById', { workflowId: SCHEDULER, activityId: '1' }],
    ['RecordActivityTaskHeartbeatById', { workflowId: SCHEDULER, activityId: '1' }],
    ['StartBatchOperation', { jobId: SCHEDULER, executions: [{ workflowId: 'x' }] }],
    ['StopBatchOperation', { jobId: SCHEDULER }],
    ['StartBatchOperation', { jobId: 'b', executions: [{ workflowId: 'x' }, execution] }],
    ['CreateSchedule', scheduleOf({ workflowId: SCHEDULER })],
  ];
  await refusesAll(
    site,
    RESERVED,
    requests.map(
      ([method, fields]) =>
        () =>
          tenant.call(method, { namespace: ID, ...fields }),
    ),
  );
});

test('T-101b workflow types, identities and search attributes of the engine are refused in requests', async () => {
  const searchAttributes = {
    indexedFields: { TemporalNamespaceDivision: { data: Buffer.from('"TemporalScheduler"') } },
  };
  const workflowType = { name: 'temporal-sys-scheduler-workflow' };
  const identity = 'temporal-system@host';
  const requests: readonly (readonly [string, Record<string, unknown>])[] = [
    ['StartWorkflowExecution', start({ workflowType })],
    ['StartWorkflowExecution', start({ identity })],
    ['StartWorkflowExecution', start({ searchAttributes })],
    ['SignalWithStartWorkflowExecution', start({ workflowType, signalName: 's' })],
    ['CreateSchedule', scheduleOf({ workflowType })],
    ['CreateSchedule', scheduleOf({ searchAttributes })],
    ['CreateSchedule', { ...scheduleOf({}), searchAttributes }],
    ['PollWorkflowTaskQueue', { taskQueue: { name: 'orders' }, identity }],
    ['PollActivityTaskQueue', { taskQueue: { name: 'orders' }, identity }],
    ['RespondWorkflowTaskCompleted', { identity }],
    ['TerminateWorkflowExecution', { workflowExecution: { workflowId: 'x' }, identity }],
    ['RecordWorkerHeartbeat', { workerHeartbeat: [{ workerIdentity: identity }] }],
    ['RecordWorkerHeartbeat', { workerHeartbeat: [{ taskQueue: SYSTEM_QUEUE }] }],
  ];
  await refusesAll(
    site,
    RESERVED,
    requests.map(
      ([method, fields]) =>
        () =>
          tenant.call(method, { namespace: ID, ...fields }),
    ),
  );
});

test("T-101b the engine's names are refused in every command of a completion, and the task goes on", async () => {
  await tenant.start('commands', { taskQueue: { name: 'commands' } });
  const task = await tenant.takeTask('commands');
  const child = { workflowId: 'c', workflowType: { name: 'orders' }, taskQueue: { name: 'orders' } };
  const next = { workflowType: { name: 'orders' }, taskQueue: { name: 'orders' } };
  const reserved = { name: 'temporal-sys-batch-workflow' };
  const activity = { activityId: 'a', activityType: { name: 'a' } };
  const searchAttributes = { indexedFields: { TemporalNamespaceDivision: { data: Buffer.from('"x"') } } };
  const hostile = [
    commands.signalExternal({ execution: { workflowId: SCHEDULER }, signalName: 'patch' }),
    commands.cancelExternal({ workflowId: SCHEDULER }),
    commands.startChild({ ...child, workflowId: SCHEDULER }),
    commands.startChild({ ...child, workflowType: reserved }),
    commands.startChild({ ...child, taskQueue: { name: SYSTEM_QUEUE } }),
    commands.startChild({ ...child, searchAttributes }),
    commands.continueAsNew({ ...next, workflowType: reserved }),
    commands.continueAsNew({ ...next, taskQueue: { name: SYSTEM_QUEUE } }),
    commands.continueAsNew({ ...next, searchAttributes }),
    commands.scheduleActivity({ ...activity, taskQueue: { name: SYSTEM_QUEUE } }),
    commands.scheduleActivity({ ...activity, taskQueue: { name: `/_sys/${SYSTEM_QUEUE}/1` } }),
    commands.upsertAttributes({ searchAttributes }),
  ];
  await refusesAll(site, RESERVED, [
    ...hostile.map((command) => () => tenant.complete(task, [command])),
    ...hostile.map((command) => () => tenant.complete(task, [commands.timer('t'), command])),
    () =>
      tenant.call('RespondWorkflowTaskCompleted', {
        taskToken: task.taskToken,
        stickyAttributes: { workerTaskQueue: { name: SYSTEM_QUEUE } },
      }),
  ]);
  assert.equal((await tenant.complete(task, [commands.completeWorkflow()])).status, 0);
});

test("T-101b a batch whose query can find the engine's own workflows is refused, in each spelling that the engine knows", async () => {
  const batch = (visibilityQuery: string) => () =>
    tenant.call('StartBatchOperation', {
      namespace: ID,
      jobId: 'reach',
      reason: 'x',
      visibilityQuery,
      operation: { case: 'terminationOperation', value: {} },
    });
  await refusesAll(
    site,
    RESERVED,
    [
      `TemporalNamespaceDivision = 'TemporalScheduler'`,
      `NamespaceDivision IS NOT NULL`,
      '`Temporal``Namespace``Division` IS NOT NULL',
      `WorkflowId = 'x' OR TemporalNamespaceDivision IS NOT NULL`,
    ].map(batch),
  );
});

test('T-101b a batch without it does not find them either: the schedule goes on', async () => {
  await tenant.ask('StartBatchOperation', {
    namespace: ID,
    jobId: 'everything',
    reason: 'x',
    visibilityQuery: `WorkflowId STARTS_WITH 'temporal-sys-' OR ScheduleId = 'daily'`,
    operation: { case: 'terminationOperation', value: {} },
  });
  await until('the batch has ended', async () => {
    const { state } = await tenant.ask('DescribeBatchOperation', { jobId: 'everything' });
    return state === 2;
  });
  const { workflowExecutionInfo } = await tenant.ask('DescribeWorkflowExecution', {
    execution: { workflowId: SCHEDULER },
  });
  assert.equal(workflowExecutionInfo.status, 1, 'the scheduler runs');
});

/** A call at the engine's own side, as the platform could make it. */
async function atEngine(method: string, fields: Record<string, unknown>): Promise<Reply> {
  const { engine } = site.house.up.platform;
  const message = encode(`workflowservice.v1.${method}Request`, { namespace: ID, ...fields });
  const answer = await callEngine(
    engine,
    WORKFLOW_SERVICE + method,
    message,
    engine.tokens.mintToken('', 'system-admin'),
  );
  assert.equal(answer.status, 0, answer.message);
  return decode(`workflowservice.v1.${method}Response`, answer.body);
}

/** Sticky queues in the history of a workflow, as somebody sees it. */
function stickyNames(history: Reply): string[] {
  return history.history.events
    .filter((event: Reply) => event.attributes.case === 'workflowTaskScheduledEventAttributes')
    .map((event: Reply) => event.attributes.value.taskQueue)
    .filter((queue: Reply) => queue.kind === 2 || queue.name === 'temporal-sys-hidden')
    .map((queue: Reply) => queue.name);
}

const trigger = () =>
  tenant.ask('PatchSchedule', {
    scheduleId: 'daily',
    patch: { triggerImmediately: { overlapPolicy: 6 } },
    requestId: `${performance.now()}`,
  });

/** The name of the sticky queue of the engine's own worker, from the engine's own side. */
async function engineStickyQueue(): Promise<string> {
  return await until('a sticky task of the scheduler', async () => {
    await trigger();
    const [name] = stickyNames(
      await atEngine('GetWorkflowExecutionHistory', { execution: { workflowId: SCHEDULER } }),
    );
    return name;
  });
}

test("T-101a the name of the engine's sticky queue cannot be read in a history, of a schedule or of a batch job", async () => {
  const sticky = await engineStickyQueue();
  assert.notEqual(sticky, '');
  for (const method of ['GetWorkflowExecutionHistory', 'GetWorkflowExecutionHistoryReverse']) {
    const workflowIds = [SCHEDULER, 'everything'];
    for (const workflowId of workflowIds) {
      const answer = await tenant.call(method, { execution: { workflowId } });
      assert.equal(answer.status, 0, answer.message);
      assert.ok(!Buffer.from(answer.body).includes(sticky), `${method} ${workflowId}`);
    }
  }
  const read = await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId: SCHEDULER } });
  assert.ok(stickyNames(read).length > 0, 'its events are shown');
  assert.deepEqual([...new Set(stickyNames(read))], ['temporal-sys-hidden']);
});

test("T-101c a poll on the engine's sticky queue, whose name is known, never gets its task: empty answer, severity high", async () => {
  const name = await engineStickyQueue();
  const heldBack = async () =>
    (await site.house.events()).filter(
      (event) => event['severity'] === 'high' && /held back/.test(String(event['detail'])),
    );
  let polling = true;
  // Under each kind; the queue's partition name is refused anyway.
  const kinds = [
    { name, kind: 2, normalName: 'mine' },
    { name, kind: 1 },
    { name, kind: 0 },
  ];
  const taken: Reply[] = [];
  const polls = [...kinds, ...kinds].map(async (taskQueue) => {
    while (polling) {
      const task = await tenant.ask(
        'PollWorkflowTaskQueue',
        { taskQueue, identity: 'raw' },
        { timeoutMs: 2500 },
      );
      if (task.taskToken.length > 0) taken.push(task);
    }
  });
  const events = await until('a task that was held back', async () => {
    await trigger();
    const found = await heldBack();
    return found.length > 0 ? found : undefined;
  });
  polling = false;
  await Promise.all(polls);
  assert.deepEqual(taken, [], 'no task of the engine came through');
  for (const event of events) {
    assert.deepEqual(
      [event['namespace'], event['method'], event['outcome'], event['status']],
      [ID, `${WORKFLOW_SERVICE.slice(1)}PollWorkflowTaskQueue`, 'ok', 0],
    );
  }
});

test('T-101c a completion is taken only for a task that the gateway gave to this namespace', async () => {
  const { directory } = site.house.up.platform;
  const record = directory.snapshot().namespaces.get(ID);
  const made = encode('common.v1.WorkflowExecution', {
    workflowId: record?.engineId ?? '',
    runId: SCHEDULER,
  });
  const otherKind = bindToken(
    directory.tokenKeys(),
    { namespaceUuid: record?.uuid ?? '', kind: 'activity-task', question: '' },
    made,
  );
  await refusesAll(
    site,
    { code: 'token_foreign' },
    [made, otherKind].map((taskToken) => () => tenant.call('RespondWorkflowTaskCompleted', { taskToken })),
  );
});
