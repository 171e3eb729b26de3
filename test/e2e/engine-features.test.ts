import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { bareToken } from './raw-attacks.ts';
import { commands, openTenant, type RawTenant, type Reply, until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';

// threats.md T-101, its other half: what the engine's own workers do for tenants keeps working through the gateway.
// They are reached by the public schedule, batch and deployment calls alone.

const ID = 'default.local';

let site: AttackSite;
let tenant: RawTenant;

before(async () => {
  site = await startAttackSite();
  tenant = openTenant(site, ID);
});
after(() => site.close());

const action = (workflowId: string) => ({
  action: {
    case: 'startWorkflow',
    value: { workflowId, workflowType: { name: 'orders' }, taskQueue: { name: 'scheduled' } },
  },
});

test('T-101 a schedule can be made, triggered, seen, changed, paused and deleted, and its run reaches a Worker', async () => {
  const scheduleId = 'nightly';
  const spec = { interval: [{ interval: { seconds: 86_400n } }] };
  await tenant.ask('CreateSchedule', {
    scheduleId,
    requestId: 'create',
    schedule: { spec, action: action('nightly-run') },
    initialPatch: { triggerImmediately: { overlapPolicy: 6 } },
  });
  const task = await tenant.takeTask('scheduled');
  assert.match(task.workflowExecution.workflowId, /^nightly-run/);
  const [started] = task.history.events;
  const { indexedFields } = started.attributes.value.searchAttributes;
  assert.ok('TemporalScheduledById' in indexedFields, 'the run says where it comes from');
  // An SDK hands on what it was given when it continues as new.
  const next = commands.continueAsNew({
    workflowType: { name: 'orders' },
    taskQueue: { name: 'scheduled' },
    searchAttributes: { indexedFields },
  });
  assert.equal((await tenant.complete(task, [next])).status, 0);
  const continued = await tenant.takeTask('scheduled');
  assert.equal((await tenant.complete(continued, [commands.completeWorkflow()])).status, 0);

  const described = await tenant.ask('DescribeSchedule', { scheduleId });
  assert.equal(described.info.recentActions.length, 1);
  const changed = { spec, action: action('nightly-run'), state: { notes: 'changed' } };
  const { conflictToken } = described;
  await tenant.ask('UpdateSchedule', { scheduleId, schedule: changed, conflictToken, requestId: 'update' });
  await tenant.ask('PatchSchedule', { scheduleId, patch: { pause: 'for a while' }, requestId: 'pause' });
  await until('the schedule is listed as paused', async () => {
    const { schedules } = await tenant.ask('ListSchedules', {});
    return schedules.length === 1 && schedules[0].info?.paused === true;
  });
  const from = { startTime: { seconds: 1_800_000_000n }, endTime: { seconds: 1_800_200_000n } };
  const times = await tenant.ask('ListScheduleMatchingTimes', { scheduleId, ...from });
  assert.ok(times.startTime.length >= 2);
  await tenant.ask('DeleteSchedule', { scheduleId });
});

test('T-101 a batch signals what its query finds, can be described and listed, and names of its own are free', async () => {
  for (const id of ['batched-1', 'batched-2']) {
    await tenant.start(id, { workflowType: { name: 'batched' }, taskQueue: { name: 'batched' } });
  }
  const visibilityQuery = `WorkflowType = 'batched'`;
  await until('both are listed', async () => {
    const { count } = await tenant.ask('CountWorkflowExecutions', { query: visibilityQuery });
    return Number(count) === 2;
  });
  await tenant.ask('StartBatchOperation', {
    jobId: 'signal-all',
    reason: 'test',
    visibilityQuery,
    operation: { case: 'signalOperation', value: { signal: 'wake', identity: 'raw' } },
  });
  await until('the batch is done', async () => {
    const job = await tenant.ask('DescribeBatchOperation', { jobId: 'signal-all' });
    return job.state === 2 && Number(job.completeOperationCount) === 2;
  });
  const task = await tenant.takeTask('batched');
  const signalled = task.history.events.some(
    (event: Reply) => event.attributes.case === 'workflowExecutionSignaledEventAttributes',
  );
  assert.ok(signalled);
  const { operationInfo } = await tenant.ask('ListBatchOperations', {});
  assert.deepEqual(
    operationInfo.map((job: Reply) => job.jobId),
    ['signal-all'],
  );
});

test('T-101 a versioned Worker makes a deployment, which can be listed, described and set as current', async () => {
  const version = { deploymentName: 'shop', buildId: 'v1' };
  let polling = true;
  const poller = (async () => {
    while (polling) {
      await tenant.ask(
        'PollWorkflowTaskQueue',
        {
          taskQueue: { name: 'versioned' },
          identity: 'raw',
          deploymentOptions: { ...version, workerVersioningMode: 2 },
        },
        { timeoutMs: 2500 },
      );
    }
  })();
  await until('the deployment is listed', async () => {
    const { workerDeployments } = await tenant.ask('ListWorkerDeployments', {});
    return workerDeployments.some((each: Reply) => each.name === 'shop');
  });
  await until('its version is described', async () => {
    const answer = await tenant.call('DescribeWorkerDeploymentVersion', { deploymentVersion: version });
    return answer.status === 0;
  });
  await until('it is current', async () => {
    const request = { deploymentName: 'shop', buildId: 'v1', version: 'shop.v1', identity: 'raw' };
    return (
      (await tenant.call('SetWorkerDeploymentCurrentVersion', request, { timeoutMs: 10_000 })).status === 0
    );
  });
  polling = false;
  await poller;
});

test('T-043 an eager workflow start hands its task over with a token of this gateway, and takes its answer', async () => {
  const { eagerWorkflowTask } = await tenant.start('eager', { requestEagerExecution: true });
  assert.ok(eagerWorkflowTask?.taskToken.length > 0, 'the engine starts eagerly by default');
  assert.ok(bareToken(site, ID, eagerWorkflowTask.taskToken, 'workflow-task').length > 0);
  assert.equal((await tenant.complete(eagerWorkflowTask, [commands.completeWorkflow()])).status, 0);
});

test('an update waits for its Worker and comes back, its messages inside Any and all', async () => {
  await tenant.start('updated', { taskQueue: { name: 'updated' } });
  const first = await tenant.takeTask('updated');
  assert.equal((await tenant.complete(first, [commands.timer('t')])).status, 0);
  const update = tenant.ask('UpdateWorkflowExecution', {
    workflowExecution: { workflowId: 'updated' },
    waitPolicy: { lifecycleStage: 3 },
    request: {
      meta: { updateId: 'u' },
      input: { name: 'set', args: { payloads: [{ data: Buffer.from('"a"') }] } },
    },
  });
  const task = await tenant.takeTask('updated');
  const [message] = task.messages;
  assert.match(message.body.typeUrl, /temporal\.api\.update\.v1\.Request$/);
  const failure = {
    message: 'not now',
    failureInfo: { case: 'applicationFailureInfo', value: { type: 'T' } },
  };
  const body = {
    typeUrl: 'type.googleapis.com/temporal.api.update.v1.Rejection',
    value: encode('update.v1.Rejection', { rejectedRequestMessageId: message.id, failure }),
  };
  const reply = { id: 'm', protocolInstanceId: message.protocolInstanceId, body };
  const answer = await tenant.call('RespondWorkflowTaskCompleted', {
    taskToken: task.taskToken,
    messages: [reply],
  });
  assert.equal(answer.status, 0, answer.message);
  const { outcome } = await update;
  assert.equal(outcome.value.value.message, 'not now');
});

test('none of all this was refused or held back by the gateway', async () => {
  assert.deepEqual(await refusedCalls(site.house), []);
});
