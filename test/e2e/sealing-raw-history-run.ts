import assert from 'node:assert/strict';
import { type DescMessage, type JsonObject, toJson } from '@bufbuild/protobuf';
import { engineApiRegistry, messageType } from '../../packages/gatehouse/src/base/proto/api-registry.ts';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { openEngineWatch } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import {
  type EngineChanges,
  reconfigureEngine,
} from '../../packages/gatehouse/src/testing/reconfigure-engine.ts';
import { type CanaryTenant, command } from './canary-tenant.ts';
import type { Reply } from './raw-tenant.ts';
import { isObject } from './sealing/walk-json.ts';
import {
  addSearchAttributes,
  attributes,
  KEYWORD,
  KEYWORD_LIST,
  untilAttributesWork,
} from './search-attributes.ts';

type Fields = Record<string, unknown>;
type Ask = (method: string, fields: Fields) => Promise<Reply>;

const SEALED_ATTRIBUTES = ['Customer', 'Tags'];
/** The columns in any of which the engine may keep them. Under these names they stand in its events. */
export const COLUMNS = ['Keyword', 'KeywordList'].flatMap((type) =>
  Array.from({ length: 10 }, (_, index) => `${type}${String(index + 1).padStart(2, '0')}`),
);

/** A site with sealing on, whose engine runs with changes to its configuration. */
export async function startReconfigured(
  changes: EngineChanges,
  namespaces: readonly string[],
): Promise<AttackSite> {
  const encryption = { sealing: 'on', sealedAttributes: SEALED_ATTRIBUTES } as const;
  const site = await startAttackSite(namespaces, { encryption });
  try {
    await reconfigureEngine(site.house, changes);
    // The counters of an engine begin anew with it.
    const engine = await openEngineWatch(site.house);
    const close = async (): Promise<void> => {
      engine.close();
      await site.close();
    };
    return { ...site, engine, close };
  } catch (error) {
    await site.close();
    throw error;
  }
}

/** Makes the sealed attributes in both namespaces, and waits until they can be used. */
export async function prepareAttributes(site: AttackSite, tenants: readonly CanaryTenant[]): Promise<void> {
  for (const { id } of tenants)
    await addSearchAttributes(site.house, id, { Customer: KEYWORD, Tags: KEYWORD_LIST });
  for (const each of tenants) await untilAttributesWork(each, { Customer: 'x', Tags: ['x'] });
}

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
  const pages: Buffer[][] = [];
  let nextPageToken = new Uint8Array(0);
  do {
    const page = await ask('GetWorkflowExecutionHistory', { execution, maximumPageSize, nextPageToken });
    assert.deepEqual(page.history?.events ?? [], []);
    for (const { encodingType } of page.rawHistory) assert.equal(encodingType, 1, 'ENCODING_TYPE_PROTO3');
    pages.push(page.rawHistory.map(({ data }: { data: Uint8Array }) => Buffer.from(data)));
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
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
  const type: DescMessage = messageType('temporal.api.history.v1.HistoryEvent');
  return events.map((event) => toJson(type, event, { registry: engineApiRegistry() }) as JsonObject);
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
