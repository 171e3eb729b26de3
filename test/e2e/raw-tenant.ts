import assert from 'node:assert/strict';
import type { AttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import {
  type CallOptions,
  decode,
  encode,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';

type Fields = Record<string, unknown>;
// biome-ignore lint/suspicious/noExplicitAny: messages are dynamic here, and tests name the fields they expect.
export type Reply = any;

/** A tenant that plays application and Worker by hand: every field of every request is the test's own. */
export interface RawTenant {
  readonly id: string;
  readonly client: RawClient;
  /** A call of WorkflowService, whatever its answer. */
  call(method: string, fields?: Fields, options?: CallOptions): Promise<RawAnswer>;
  /** A call that must succeed. @returns its reply. */
  ask(method: string, fields?: Fields, options?: CallOptions): Promise<Reply>;
  /** Starts a workflow of type and queue `orders`. */
  start(workflowId: string, fields?: Fields): Promise<Reply>;
  /** Polls until there is a workflow task, or an activity task. */
  takeTask(queue?: string): Promise<Reply>;
  takeActivity(queue?: string): Promise<Reply>;
  /** Answers a workflow task with these commands. */
  complete(task: Reply, commands?: readonly Fields[]): Promise<RawAnswer>;
}

const POLL_MS = 10_000;

export function openTenant(site: AttackSite, id: string): RawTenant {
  const client = site.open(id, homeCredential(site.house.endpoint, id));
  const call: RawTenant['call'] = (method, fields = {}, options) =>
    client.call(WORKFLOW_SERVICE + method, encode(`workflowservice.v1.${method}Request`, fields), options);
  const ask: RawTenant['ask'] = async (method, fields, options) => {
    const answer = await call(method, fields, options);
    assert.equal(answer.status, 0, `${method}: ${answer.message} ${answer.failure}`);
    return decode(`workflowservice.v1.${method}Response`, answer.body);
  };
  const take = async (method: string, name: string): Promise<Reply> => {
    for (;;) {
      const task = await ask(method, { taskQueue: { name }, identity: 'raw' }, { timeoutMs: POLL_MS });
      if (task.taskToken.length > 0) return task;
    }
  };
  return {
    id,
    client,
    call,
    ask,
    start: (workflowId, fields = {}) =>
      ask('StartWorkflowExecution', {
        namespace: id,
        workflowId,
        workflowType: { name: 'orders' },
        taskQueue: { name: 'orders' },
        requestId: `${workflowId}-${performance.now()}`,
        ...fields,
      }),
    takeTask: (queue = 'orders') => take('PollWorkflowTaskQueue', queue),
    takeActivity: (queue = 'orders') => take('PollActivityTaskQueue', queue),
    complete: (task, commands = []) =>
      call('RespondWorkflowTaskCompleted', {
        namespace: id,
        taskToken: task.taskToken,
        commands,
        identity: 'raw',
      }),
  };
}

/** Commands by their attributes; the numbers are those of enums.v1.CommandType. */
export const commands = {
  scheduleActivity: (value: Fields) => command(1, 'scheduleActivityTask', value),
  timer: (timerId: string, seconds = 3600) =>
    command(3, 'startTimer', { timerId, startToFireTimeout: { seconds: BigInt(seconds) } }),
  completeWorkflow: () => command(4, 'completeWorkflowExecution', {}),
  cancelExternal: (value: Fields) => command(8, 'requestCancelExternalWorkflowExecution', value),
  continueAsNew: (value: Fields) => command(10, 'continueAsNewWorkflowExecution', value),
  startChild: (value: Fields) => command(11, 'startChildWorkflowExecution', value),
  signalExternal: (value: Fields) => command(12, 'signalExternalWorkflowExecution', value),
  upsertAttributes: (value: Fields) => command(13, 'upsertWorkflowSearchAttributes', value),
  scheduleNexus: (value: Fields) => command(17, 'scheduleNexusOperation', value),
} as const;

function command(commandType: number, name: string, value: Fields): Fields {
  return { commandType, attributes: { case: `${name}CommandAttributes`, value } };
}

const WAIT_MS = 15_000;
const LOOK_MS = 50;

/** Looks until it is so. @throws AssertionError after a while. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = WAIT_MS,
): Promise<T> {
  for (const endsAt = performance.now() + withinMs; performance.now() < endsAt; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new assert.AssertionError({ message: `never came true: ${what}` });
}
