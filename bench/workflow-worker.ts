import type { ClientHttp2Session } from 'node:http2';
import { field, message, walk } from './protobuf.ts';
import { type Caller, IDENTITY, jsonPayloads, prepare, taskQueue } from './requests.ts';
import { callUnary } from './unary.ts';
import { answerUpdate, bytesOf, scheduleActivity, startTimer, type TaskAnswer } from './workflow-commands.ts';

/** A Worker written on the wire, without an SDK: it runs one fixed Workflow of five tasks. */
export interface BenchWorker {
  /** Settles when the Worker has answered the `number`-th task (from 1) of this Workflow. */
  answered(workflowId: string, number: number): Promise<void>;
  /** Rejects when a poll or an answer failed. */
  readonly failed: Promise<never>;
  /** Polls under way end with their connection. */
  stop(): void;
}

/** An SDK's default is 5 of each kind. */
const POLLERS = 5;

const POLL_TIMEOUT = '70S';

/** The task after the signal has nothing to do; the fifth carries the update. */
const UPDATE_MESSAGE_FIELD = 15;

export function startWorker(session: ClientHttp2Session, caller: Caller, queue: string): BenchWorker {
  const progress = new Map<string, number>();
  const waiting = new Map<string, () => void>();
  let stopped = false;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);

  const call = (method: string, request: Buffer) =>
    callUnary(session, prepare(caller, method, '10S', request));
  const poll = async (method: string, handle: (task: Buffer) => Promise<void>): Promise<void> => {
    const request = message(field(1, caller.namespace), field(2, taskQueue(queue)), field(3, IDENTITY));
    while (!stopped) {
      const task = await callUnary(session, prepare(caller, method, POLL_TIMEOUT, request));
      if (task.length > 0 && walk(task).bytes.has(1)) await handle(task);
    }
  };
  const onWorkflowTask = async (task: Buffer): Promise<void> => {
    const { bytes } = walk(task);
    const id = bytesOf(walk(bytesOf(bytes, 2)).bytes, 1).toString();
    const number = (progress.get(id) ?? 0) + 1;
    progress.set(id, number);
    const request = [field(1, bytesOf(bytes, 1)), field(3, IDENTITY), field(9, caller.namespace)];
    request.push(...answerTo(number, bytes.get(UPDATE_MESSAGE_FIELD)?.[0], queue));
    await call('RespondWorkflowTaskCompleted', message(...request));
    waiting.get(`${id} ${number}`)?.();
  };
  const onActivityTask = async (task: Buffer): Promise<void> => {
    const token = field(1, bytesOf(walk(task).bytes, 1));
    const rest = [field(2, jsonPayloads('"charged"')), field(3, IDENTITY), field(4, caller.namespace)];
    await call('RespondActivityTaskCompleted', message(token, ...rest));
  };
  const onFailure = (error: Error): void => {
    if (!stopped) fail(error);
  };
  for (let poller = 0; poller < POLLERS; poller++) {
    poll('PollWorkflowTaskQueue', onWorkflowTask).catch(onFailure);
    poll('PollActivityTaskQueue', onActivityTask).catch(onFailure);
  }
  return {
    answered: (id, number) => new Promise((resolve) => waiting.set(`${id} ${number}`, resolve)),
    failed,
    stop: () => {
      stopped = true;
    },
  };
}

function answerTo(number: number, update: Buffer | undefined, queue: string): TaskAnswer {
  if (update !== undefined) return answerUpdate(update);
  if (number === 1) return scheduleActivity(queue);
  return number === 2 ? startTimer() : [];
}
