import assert from 'node:assert/strict';
import { type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { messageType } from '../../../packages/gatehouse/src/base/proto/api-registry.ts';
import { commands, type RawTenant, type Reply, until } from '../raw-tenant.ts';

type Fields = Record<string, unknown>;

/** A namespace whose workflows call, and one whose Worker answers; both are played by hand. */
export interface OperationPair {
  readonly caller: RawTenant;
  readonly handler: RawTenant;
  /** Leads to the handler's queue `raw`. */
  readonly endpoint: string;
  /** A text for one place, which tells later whose it was. */
  word(place: string): string;
}

/** Answers one task of an operation. */
export type Answer = (pair: OperationPair, task: Reply, workflowId: string) => Promise<unknown>;

export interface Operation {
  readonly name: string;
  readonly input?: (pair: OperationPair) => Fields;
  /** One for each task that the operation brings, in their order. */
  readonly answers: readonly Answer[];
  /** The caller cancels once the first is given. */
  readonly cancels?: boolean;
}

/** What both sides saw of an operation, without ids and times. */
export interface Outcome {
  readonly input: JsonValue;
  readonly event: JsonValue;
}

const TERMINAL = /^nexusOperation(?:Completed|Failed|Canceled|TimedOut|CancelRequestFailed)EventAttributes$/;
const REQUEST_CANCEL_NEXUS_OPERATION = 18;

/** Lets a workflow of this name call the operation, answers as it says, and waits for its end. */
export async function runOperation(pair: OperationPair, operation: Operation): Promise<Outcome> {
  const { caller, endpoint } = pair;
  const { name, answers, cancels = false } = operation;
  const workflowId = name.replaceAll(' ', '-');
  await caller.start(workflowId, { taskQueue: { name: workflowId } });
  const input = operation.input?.(pair);
  await completed(pair, workflowId, {
    ...commands.scheduleNexus({ endpoint, service: 's', operation: name, input }),
  });
  let seen: JsonValue = null;
  for (const [index, answer] of answers.entries()) {
    if (index === 1 && cancels) await completed(pair, workflowId, cancelCommand);
    const task = await takeNexusTask(pair.handler);
    if (index === 0) seen = jsonOf('common.v1.Payload', task.request.variant.value.payload);
    await answer(pair, task, workflowId);
  }
  const ended = await until(`${name} has ended`, async () => {
    const events = await historyOf(caller, workflowId);
    return events.find(({ attributes }: Reply) => TERMINAL.test(attributes.case));
  });
  return { input: readable(seen), event: readable(jsonOf('history.v1.HistoryEvent', ended)) };
}

/** The scheduled event stands fifth in every history here: started, task scheduled, started, completed. */
const cancelCommand = {
  commandType: REQUEST_CANCEL_NEXUS_OPERATION,
  attributes: { case: 'requestCancelNexusOperationCommandAttributes', value: { scheduledEventId: 5n } },
};

async function completed({ caller }: OperationPair, queue: string, command: Fields): Promise<void> {
  const { status, message } = await caller.complete(await caller.takeTask(queue), [command]);
  assert.equal(status, 0, message);
}

export async function takeNexusTask(handler: RawTenant): Promise<Reply> {
  for (;;) {
    const poll = { taskQueue: { name: 'raw' }, identity: 'raw' };
    const task = await handler.ask('PollNexusTaskQueue', poll, { timeoutMs: 10_000 });
    if (task.taskToken.length > 0) return task;
  }
}

export async function historyOf(tenant: RawTenant, workflowId: string): Promise<readonly Reply[]> {
  const { history } = await tenant.ask('GetWorkflowExecutionHistory', { execution: { workflowId } });
  return history.events;
}

/** A message in its JSON form; null where there is none. */
export function jsonOf(type: string, message: Reply): JsonValue {
  return message === undefined ? null : toJson(messageType(`temporal.api.${type}`), message);
}

const VARYING: ReadonlySet<string> = new Set([
  ...['eventId', 'eventTime', 'taskId', 'version', 'requestId', 'links'],
  ...['operationToken', 'operationId', 'endpoint'],
]);

/** Without what differs between any two runs, and payloads as the texts that they hold. */
function readable(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  const { metadata, data } = value as JsonObject;
  if (typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)) {
    const entries = Object.entries(metadata).map(([key, text]) => [key, textOf(text)]);
    return { metadata: Object.fromEntries(entries), data: textOf(data ?? '') };
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !VARYING.has(key))
      .map(([key, inner]) => [key, readable(inner)]),
  );
}

function textOf(base64: JsonValue): string {
  return Buffer.from(String(base64), 'base64').toString('latin1');
}
