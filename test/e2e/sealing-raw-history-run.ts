import assert from 'node:assert/strict';
import type { JsonObject } from '@bufbuild/protobuf';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type CanaryTenant, command } from './canary-tenant.ts';
import type { Reply } from './raw-tenant.ts';
import { type Ask, readPages } from './sealing/read-pages.ts';
import { messageJson } from './sealing/read-workflows.ts';
import { isObject } from './sealing/walk-json.ts';
import { attributes } from './search-attributes.ts';

type Fields = Record<string, unknown>;

/** The columns in any of which the engine may keep sealed attributes. Under these names they stand in its events. */
export const COLUMNS = ['Keyword', 'KeywordList'].flatMap((type) =>
  Array.from({ length: 10 }, (_, index) => `${type}${String(index + 1).padStart(2, '0')}`),
);

/** A run to its end that leaves canaries in every kind of place that events have. */
export async function runToTheEnd(tenant: CanaryTenant, workflowId: string, fails = false): Promise<Reply> {
  const taskQueue = { name: workflowId };
  const { runId } = await tenant.start(workflowId, {
    taskQueue,
    input: tenant.input('start, input'),
    header: tenant.map('start, header'),
    memo: tenant.map('start, memo'),
    searchAttributes: sealed(tenant, 'start'),
    userMetadata: { summary: tenant.say('start, summary'), details: tenant.say('start, details') },
  });
  await tenant.ask('SignalWorkflowExecution', {
    workflowExecution: { workflowId },
    signalName: 'wake',
    input: tenant.input('signal, input'),
    header: tenant.map('signal, header'),
  });
  const activity = (activityId: string, maximumAttempts: number): Fields =>
    command(1, 'scheduleActivityTask', {
      activityId,
      activityType: { name: activityId },
      taskQueue,
      input: tenant.input(`activity ${activityId}, input`),
      header: tenant.map(`activity ${activityId}, header`),
      startToCloseTimeout: { seconds: 60n },
      retryPolicy: { initialInterval: { nanos: 50_000_000 }, backoffCoefficient: 1, maximumAttempts },
    });
  const marker = {
    markerName: 'LocalActivity',
    details: { data: tenant.input('marker, data') },
    failure: tenant.failure('marker, failure'),
  };
  await tenant.finish(await tenant.takeTask(workflowId), [
    activity('broken', 2),
    command(9, 'recordMarker', marker),
    command(13, 'upsertWorkflowSearchAttributes', { searchAttributes: sealed(tenant, 'upsert') }),
    command(16, 'modifyWorkflowProperties', { upsertedMemo: tenant.map('upsert, memo') }),
  ]);
  for (const attempt of ['first', 'second']) {
    const { taskToken } = await tenant.takeActivity(workflowId);
    const failure = tenant.failure(`activity, ${attempt} failure`);
    await tenant.ask('RespondActivityTaskFailed', { taskToken, failure });
  }
  await tenant.finish(await tenant.takeTask(workflowId), [activity('sound', 1)]);
  const { taskToken } = await tenant.takeActivity(workflowId);
  await tenant.ask('RespondActivityTaskCompleted', { taskToken, result: tenant.input('activity, result') });
  await tenant.finish(await tenant.takeTask(workflowId), [
    fails
      ? command(5, 'failWorkflowExecution', { failure: tenant.failure('workflow, failure') })
      : command(4, 'completeWorkflowExecution', { result: tenant.input('workflow, result') }),
  ]);
  return { workflowId, runId };
}

function sealed(tenant: CanaryTenant, place: string): Fields {
  return attributes({
    Customer: tenant.word(`${place}, Keyword`),
    Tags: [tenant.word(`${place}, list`), 'plain'],
  });
}

/** Raw history, page by page. A history that comes in any other form, or not at all, fails the test. */
export async function readRaw(ask: Ask, execution: Reply, maximumPageSize = 0): Promise<readonly Buffer[][]> {
  const answers = await readPages(ask, 'GetWorkflowExecutionHistory', { execution, maximumPageSize });
  const pages: Buffer[][] = answers.map(({ history, rawHistory }) => {
    assert.deepEqual(history?.events ?? [], []);
    for (const { encodingType } of rawHistory) assert.equal(encodingType, 1, 'ENCODING_TYPE_PROTO3');
    return rawHistory.map(({ data }: { data: Uint8Array }) => Buffer.from(data));
  });
  // The engine learns that there is no more from an empty page.
  if (pages.at(-1)?.length === 0) pages.pop();
  assert.ok(pages.length > 0 && pages.every((page) => page.length > 0), 'the engine sends raw history');
  return pages;
}

/** The events in these blobs, as protobuf's JSON. */
export function eventsIn(blobs: readonly Buffer[]): readonly JsonObject[] {
  return blobs.flatMap((blob) => jsonOf(decode('history.v1.History', blob).events));
}

export function jsonOf(events: readonly Reply[]): readonly JsonObject[] {
  return events.map((event) => messageJson('history.v1.HistoryEvent', event));
}

/** Events without the names and types of search attributes: as stored they are columns without a type. */
export function withoutNames(events: readonly JsonObject[]): readonly JsonObject[] {
  return JSON.parse(JSON.stringify(events), (key, value) =>
    key === 'indexedFields' && isObject(value)
      ? Object.values(value)
          .map((payload) => (isObject(payload) ? String(payload['data']) : ''))
          .sort()
      : value,
  );
}
