/** The features, each a function that throws when something is not as the SDK promises. */
import { deepStrictEqual as equal, ok } from 'node:assert/strict';
import {
  CancelledFailure,
  ScheduleNotFoundError,
  TerminatedFailure,
  WithStartWorkflowOperation,
  type Workflow,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { noted } from './activities.ts';
import { readPayload } from './data-converter.ts';
import { failure, until } from './expect.ts';
import { failureWithCauseAndRetry } from './failure.ts';
import type { Place } from './place.ts';
import { describeError } from './report.ts';
import * as workflows from './workflows.ts';

export type Feature = (place: Place, name: string) => Promise<void>;

export const features: Record<string, Feature> = {
  workflow: async ({ client, options }, name) => {
    equal(await client.workflow.execute(workflows.echo, options(name, 'héllo')), 'héllo');
  },
  activity: async ({ client, options }, name) => {
    equal(await client.workflow.execute(workflows.greeting, options(name, 'gate')), 'Hello, gate');
  },
  'local-activity': async ({ client, options }, name) => {
    equal(await client.workflow.execute(workflows.localGreeting, options(name, 'gate')), 'Hello, gate');
  },
  timer: async ({ client, options }, name) => {
    ok((await client.workflow.execute(workflows.nap, options(name))) >= 1000);
  },
  signal: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    await handle.signal(workflows.put, 'first');
    await handle.signal(workflows.put, 'second');
    await handle.signal(workflows.close);
    equal(await handle.result(), ['first', 'second']);
  },
  query: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    await handle.signal(workflows.put, 'asked for');
    equal(await handle.query(workflows.texts), ['asked for']);
    await finish(handle);
  },
  update: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    equal(await handle.executeUpdate(workflows.add, { args: ['one'] }), 1);
    equal(await finish(handle), ['one']);
  },
  'update-rejected': async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    const error = await failure(
      handle.executeUpdate(workflows.add, { args: [''] }),
      WorkflowUpdateFailedError,
    );
    equal(error.cause?.message, 'an empty text is not kept');
    equal(await finish(handle), []);
  },
  'update-with-start': async ({ client, options }, name) => {
    const start = new WithStartWorkflowOperation(workflows.mailbox, {
      ...options(name),
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    const update = { args: ['at once'] as [string], startWorkflowOperation: start };
    equal(await client.workflow.executeUpdateWithStart(workflows.add, update), 1);
    equal(await finish(await start.workflowHandle()), ['at once']);
  },
  'child-workflow': async ({ client, options }, name) => {
    equal(await client.workflow.execute(workflows.parent, options(name, 'to the child')), 'to the child');
  },
  schedule: async ({ client, prefix }, name) => {
    const schedule = await client.schedule.create({
      scheduleId: `${prefix}-${name}`,
      spec: { intervals: [{ every: '1h' }] },
      action: {
        type: 'startWorkflow',
        workflowType: workflows.echo,
        args: ['on time'],
        taskQueue: prefix,
        workflowId: `${prefix}-${name}-run`,
      },
    });
    await schedule.trigger();
    const run = await until(async () => (await schedule.describe()).info.recentActions[0]);
    equal(await client.workflow.getHandle(run.action.workflow.workflowId).result(), 'on time');
    await schedule.delete();
    await failure(schedule.describe(), ScheduleNotFoundError);
  },
  cancellation: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.cleanup, options(name));
    await until(async () =>
      (await handle.fetchHistory()).events?.find((it) => it.timerStartedEventAttributes),
    );
    await handle.cancel();
    const error = await failure(handle.result(), WorkflowFailedError);
    ok(error.cause instanceof CancelledFailure);
    ok(noted.tidied.has(handle.workflowId), 'the cleanup did not run');
  },
  'activity-failure': failureWithCauseAndRetry,
  heartbeat: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.heart, options(name));
    const details = await until(
      async () => (await handle.describe()).raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0],
    );
    ok((await readPayload<{ count: number }>(client, details)).count > 0);
    await handle.cancel();
    const error = await failure(handle.result(), WorkflowFailedError);
    ok(describeError(error).includes('ancel'), describeError(error));
    ok(noted.stopped.has(handle.workflowId), 'the activity was not told');
  },
  memo: async ({ client, options }, name) => {
    const memo = { note: { text: 'remember', number: 7 } };
    const handle = await client.workflow.start(workflows.echo, { ...options(name, ''), memo });
    equal((await handle.describe()).memo, memo);
    await handle.result();
  },
  'continue-as-new': async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.countdown, options(name, 3, 0));
    equal(await handle.result(), 4);
    ok((await client.workflow.getHandle(handle.workflowId).describe()).runId !== handle.firstExecutionRunId);
  },
  visibility: async ({ client, options }, name) => {
    const { workflowId } = await client.workflow.start(workflows.mailbox, options(name));
    const query = `WorkflowId = '${workflowId}'`;
    await until(async () => (await client.workflow.count(query)).count === 1);
    const listed = () => client.workflow.list({ query })[Symbol.asyncIterator]().next();
    const found = await until(async () => (await listed()).value);
    equal([found.workflowId, found.type, found.status.name], [workflowId, 'mailbox', 'RUNNING']);
    await finish(client.workflow.getHandle(workflowId));
  },
  terminate: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    // Once it has begun.
    equal(await handle.query(workflows.texts), []);
    await handle.terminate('enough');
    const error = await failure(handle.result(), WorkflowFailedError);
    ok(error.cause instanceof TerminatedFailure);
  },
  'signal-with-start': async ({ client, options }, name) => {
    const signal = { signal: workflows.put, signalArgs: ['at once'] as [string] };
    const handle = await client.workflow.signalWithStart(workflows.mailbox, { ...options(name), ...signal });
    equal(await finish(handle), ['at once']);
  },
  describe: async ({ client, options, prefix }, name) => {
    const handle = await client.workflow.start(workflows.mailbox, options(name));
    const seen = await handle.describe();
    equal([seen.type, seen.taskQueue, seen.status.name], ['mailbox', prefix, 'RUNNING']);
    await finish(handle);
    equal((await handle.describe()).status.name, 'COMPLETED');
  },
  history: async ({ client, options }, name) => {
    const handle = await client.workflow.start(workflows.greeting, options(name, 'past'));
    await handle.result();
    const events = (await handle.fetchHistory()).events ?? [];
    const input = events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    const result = events.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
    ok(input && result, 'the first or the last event is not what it should be');
    equal(await Promise.all([input, result].map((it) => readPayload(client, it))), ['past', 'Hello, past']);
  },
};

async function finish<T extends Workflow>(handle: WorkflowHandle<T>): Promise<unknown> {
  await handle.signal(workflows.close);
  return await handle.result();
}
