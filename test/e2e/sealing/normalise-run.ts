import { inflateSync } from 'node:zlib';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { messageType } from '../../../packages/gatehouse/src/base/proto/api-registry.ts';
import type { RecordedRun } from './read-workflows.ts';
import { isObject, payloadOf, walk } from './walk-json.ts';

/** Ids, times, tokens, identities and sizes, by the names of their fields: they differ between any two runs. */
const VARYING =
  /(?:^|_)(?:.*time|.*timestamp|taskId|identity|.*token|.*runId|requestId|.*sizeBytes|historyLength|stateTransitionCount|executionDuration|firstSkd|firstWorkflowTaskCompletedId)$/i;
/** Whether it is there depends on how fast the run before it was. */
const DROPPED: ReadonlySet<string> = new Set(['firstWorkflowTaskBackoff']);
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const MOMENT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** In stack traces. */
const ADDRESS = /0x[0-9a-f]+|(?<=\$Proxy)\d+/g;

/**
 * A run in a form that is the same for every run of the same program: without ids, times, tokens, identities and
 * sizes. Workflow tasks are a set, apart from the other events: how many there are, and when, is a matter of luck.
 * @param prefix the beginning of all ids of this run of the program.
 */
export function normaliseRun(run: RecordedRun, prefix: string): JsonObject {
  const names = eventNames(run.events);
  const normalise = (value: JsonValue): JsonValue => normaliseValue(value, { prefix, names });
  const tasks = new Set<string>();
  const events: JsonValue[] = [];
  for (const { eventId: _, ...event } of run.events) {
    const plain = normalise(event);
    if (isTask(event)) for (const text of taskTexts(plain)) tasks.add(text);
    else events.push(plain);
  }
  const { workflowExecutionInfo: info = {}, executionConfig = {} } = run.description;
  return {
    workflowId: normalise(run.workflowId),
    events,
    tasks: [...tasks].sort(),
    info: normalise(info),
    executionConfig: normalise(executionConfig),
    listed: normalise(run.listed),
  };
}

interface Context {
  readonly prefix: string;
  /** What an event id stands for. */
  readonly names: ReadonlyMap<string, string>;
}

function isTask({ eventType }: JsonObject): boolean {
  return String(eventType).startsWith('EVENT_TYPE_WORKFLOW_TASK_');
}

/** What a workflow task says, one text each, since it may say it in the one task or in the next. */
function taskTexts(event: JsonValue): string[] {
  if (!isObject(event)) return [];
  const { eventType, ...rest } = event;
  return Object.values(rest).flatMap((attributes) =>
    isObject(attributes)
      ? Object.entries(attributes)
          .filter(([key]) => !(key in LUCK))
          .map(([key, value]) => `${eventType} ${key} ${JSON.stringify(value)}`)
      : [],
  );
}

/** Which queue a task came by, and how often it was tried. */
const LUCK = { taskQueue: 1, attempt: 1, suggestContinueAsNew: 1, startToCloseTimeout: 1, sdkMetadata: 1 };

/** The kind of each event, counted within its kind: ids move with the number of workflow tasks. */
function eventNames(events: readonly JsonObject[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  return new Map(
    events.map((event) => {
      const kind = String(event['eventType']);
      const count = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, count);
      return [String(event['eventId']), isTask(event) ? 'WORKFLOW_TASK' : `${kind} ${count}`];
    }),
  );
}

function normaliseValue(value: JsonValue, context: Context, key = ''): JsonValue {
  const payload = payloadOf(value);
  if (payload !== undefined) return normalisePayload(payload.metadata, payload.data, context, key);
  if (Array.isArray(value)) return value.map((item) => normaliseValue(item, context, key));
  if (isObject(value)) {
    if (VARYING.test(key) && 'seconds' in value) return `<${key}>`;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !DROPPED.has(name))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, item]) => [normaliseText(name, context), normaliseValue(item, context, name)]),
    );
  }
  if (VARYING.test(key)) return `<${key}>`;
  if (/EventId$/.test(key)) return context.names.get(String(value)) ?? String(value);
  return typeof value === 'string' ? normaliseText(value, context) : value;
}

function normaliseText(text: string, { prefix }: Context): string {
  return text
    .replaceAll(prefix, '<prefix>')
    .replace(UUID, '<uuid>')
    .replace(MOMENT, '<moment>')
    .replace(ADDRESS, '<address>');
}

/** Codecs of the programs are looked through, since what they hold has ids and times too. */
function normalisePayload(
  metadata: Readonly<Record<string, string>>,
  data: Buffer,
  context: Context,
  key: string,
): JsonObject {
  if (metadata['encoding'] === 'binary/zlib') {
    const type = messageType('temporal.api.common.v1.Payload');
    const inner = toJson(type, fromBinary(type, inflateSync(data)));
    return { zlib: normaliseValue(inner, context, key) };
  }
  return { metadata: { ...metadata }, data: normaliseData(metadata['encoding'] ?? '', data, context, key) };
}

function normaliseData(encoding: string, data: Buffer, context: Context, key: string): JsonValue {
  if (!encoding.startsWith('json/')) return data.toString('base64');
  const text = data.toString();
  const value = JSON.parse(text) as JsonValue;
  // No program says so great a number but for the milliseconds that its timer took.
  if (typeof value === 'number' && value >= 1000) return '<measured>';
  // The engine's own, of every workflow task.
  if (key === 'BuildIds' && Array.isArray(value)) {
    return [...new Set(value.map((id) => normaliseText(String(id), context)))];
  }
  // Byte for byte, but where it has times of its own.
  return hasVarying(value) ? normaliseValue(value, context, key) : normaliseText(text, context);
}

function hasVarying(value: JsonValue): boolean {
  let found = false;
  walk(value, (_, path) => {
    found ||= VARYING.test(path.at(-1) ?? '');
    return !found;
  });
  return found;
}
