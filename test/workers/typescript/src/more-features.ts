/** Features that need something of their namespace: search attributes, and the server's own workflows. FEATURES=all. */
import { deepStrictEqual as equal, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  type Client,
  WorkflowFailedError,
} from '@temporalio/client';
import { readPayload, writePayload } from './data-converter.ts';
import { failure, until } from './expect.ts';
import type { Feature } from './features.ts';
import type { Place } from './place.ts';
import { amountKey, customerKey, labelsKey } from './search-attributes.ts';
import * as workflows from './workflows.ts';

export const moreFeatures: Record<string, Feature> = {
  'child-failure': async ({ client, options }, name) => {
    const error = await failure(
      client.workflow.execute(workflows.brokenParent, options(name)),
      WorkflowFailedError,
    );
    ok(error.cause instanceof ChildWorkflowFailure);
    ok(error.cause.cause instanceof ActivityFailure);
    const broken = error.cause.cause.cause;
    ok(broken instanceof ApplicationFailure);
    equal([broken.message, broken.details], ['broken at attempt 2', [{ attempt: 2 }]]);
    equal(broken.cause?.message, 'the root of it');
  },
  'upsert-memo': async ({ client, options }, name) => {
    const memo = { gone: 'soon forgotten', kept: 'from the start' };
    const handle = await client.workflow.start(workflows.remember, {
      ...options(name, 'from the workflow'),
      memo,
    });
    await handle.result();
    const seen = Object.entries((await handle.describe()).memo ?? {});
    // Behind a codec the server cannot know that an entry is to be deleted: its value is null then.
    equal(Object.fromEntries(seen.filter(([, value]) => typeof value === 'string')), {
      kept: 'from the start',
      note: 'from the workflow',
    });
  },
  'user-metadata': async ({ client, options }, name) => {
    const words = { staticSummary: 'a summary', staticDetails: 'all the details' };
    const handle = await client.workflow.start(workflows.explained, { ...options(name, 'you'), ...words });
    equal(await handle.result(), 'Hello, you');
    const seen = await handle.describe();
    equal(await Promise.all([seen.staticSummary(), seen.staticDetails()]), Object.values(words));
  },
  'search-attributes': searchAttributes,
  batch,
  reset,
  'worker-versioning': workerVersioning,
};

/** They are found by equality, seen by the Workflow, replaced by it, and found again by their new values. */
async function searchAttributes({ client, options }: Place, name: string): Promise<void> {
  const typedSearchAttributes = [
    { key: customerKey, value: 'first customer' },
    { key: labelsKey, value: ['red', 'green label'] },
    { key: amountKey, value: 7 },
  ];
  const handle = await client.workflow.start(workflows.relabel, {
    ...options(name, 'second customer', ['blue']),
    typedSearchAttributes,
  });
  const count = async (filter: string): Promise<number> =>
    (await client.workflow.count(`WorkflowId = '${handle.workflowId}' AND ${filter}`)).count;
  const found = [
    `Customer = 'second customer'`,
    `Customer IN ('third customer', 'second customer')`,
    `Customer != 'first customer'`,
    `Labels = 'blue' AND Amount = 7`,
    `Labels IN ('green label', 'blue')`,
  ];
  for (const filter of found) await until(async () => (await count(filter)) === 1);
  for (const filter of [`Customer = 'first customer'`, `Labels = 'red'`, 'Customer IS NULL'])
    equal(await count(filter), 0, filter);
  const listed = client.workflow.list({ query: `Labels = 'blue' AND WorkflowId = '${handle.workflowId}'` });
  const { value } = await listed[Symbol.asyncIterator]().next();
  for (const { typedSearchAttributes: seen } of [value, await handle.describe()]) {
    equal(
      [seen.get(customerKey), seen.get(labelsKey), seen.get(amountKey)],
      ['second customer', ['blue'], 7],
    );
  }
  await handle.signal(workflows.close);
  equal(await handle.result(), 'first customer');
}

/** Sends a signal, with something in it, to whatever a filter finds. */
async function batch({ client, options, prefix }: Place, name: string): Promise<void> {
  const handles = await Promise.all(
    ['one', 'two'].map((which) => client.workflow.start(workflows.mailbox, options(`${name}-${which}`))),
  );
  const visibilityQuery = `WorkflowType = 'mailbox' AND WorkflowId IN (${handles
    .map(({ workflowId }) => `'${workflowId}'`)
    .join(', ')})`;
  await until(async () => (await client.workflow.count(visibilityQuery)).count === 2);
  const job = { namespace: client.options.namespace, jobId: `${prefix}-${name}` };
  await client.workflowService.startBatchOperation({
    ...job,
    reason: 'all of them',
    visibilityQuery,
    signalOperation: {
      signal: 'put',
      input: { payloads: [await writePayload(client, 'to everybody')] },
      identity: 'features',
    },
  });
  await until(async () => {
    const seen = await client.workflowService.describeBatchOperation(job);
    return Number(seen.completeOperationCount) === 2;
  });
  for (const handle of handles) {
    await handle.signal(workflows.close);
    equal(await handle.result(), ['to everybody']);
  }
}

/** A Workflow that has ended goes on from its first task, with the signals that it got after it. */
async function reset({ client, options }: Place, name: string): Promise<void> {
  const handle = await client.workflow.start(workflows.mailbox, options(name));
  equal(await handle.query(workflows.texts), []);
  await handle.signal(workflows.put, 'kept through a reset');
  await handle.signal(workflows.close);
  await handle.result();
  const events = (await handle.fetchHistory()).events ?? [];
  const first = events.find((it) => it.workflowTaskCompletedEventAttributes);
  ok(first?.eventId);
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    reason: 'once more',
    requestId: randomUUID(),
    workflowTaskFinishEventId: first.eventId,
  });
  equal(await client.workflow.getHandle(handle.workflowId, runId).result(), ['kept through a reset']);
}

/** A pinned Workflow runs on the version that was made current, whose metadata can be read back. */
async function workerVersioning(place: Place, name: string): Promise<void> {
  const { client, options, prefix } = place;
  const version = { deploymentName: `${prefix}-${name}`, buildId: 'build-1' };
  const stop = await place.startVersioned(version.deploymentName, version.buildId);
  try {
    await makeCurrent(client, version);
    const handle = await client.workflow.start(workflows.greeting, {
      ...options(name, 'version'),
      taskQueue: version.deploymentName,
    });
    equal(await handle.result(), 'Hello, version');
    const { versioningInfo } = (await handle.describe()).raw.workflowExecutionInfo ?? {};
    equal(versioningInfo?.deploymentVersion?.buildId, version.buildId);
    const { namespace } = client.options;
    const asked = { namespace, deploymentVersion: version };
    await client.workflowService.updateWorkerDeploymentVersionMetadata({
      ...asked,
      identity: 'features',
      upsertEntries: { note: await writePayload(client, 'about this build') },
    });
    const { workerDeploymentVersionInfo } =
      await client.workflowService.describeWorkerDeploymentVersion(asked);
    const { note } = workerDeploymentVersionInfo?.metadata?.entries ?? {};
    ok(note);
    equal(await readPayload(client, note), 'about this build');
  } finally {
    await stop();
  }
}

/** The server knows a version when its Worker has polled, and says no until then. */
async function makeCurrent(client: Client, version: { deploymentName: string; buildId: string }) {
  let last: unknown;
  await until(async () => {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: client.options.namespace,
        ...version,
        identity: 'features',
      });
      return true;
    } catch (error) {
      last = error;
      return false;
    }
  }).catch(() => {
    throw last;
  });
}
