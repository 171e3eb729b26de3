import { randomUUID } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import type { LoadResult, Target } from './load-protocol.ts';
import { summarize } from './load-run.ts';
import { field, message, numberField } from './protobuf.ts';
import { IDENTITY, jsonPayloads, prepare, taskQueue } from './requests.ts';
import { callUnary } from './unary.ts';
import { type BenchWorker, startWorker } from './workflow-worker.ts';

/** Tasks after which the client acts: the timer has fired; the signal has been taken. */
const TASK_AFTER_TIMER = 3;
const TASK_AFTER_SIGNAL = 4;

/** A Workflow that hangs would stop the bench: this is far beyond what one takes. */
const WORKFLOW_MS_MAX = 30_000;

/** Runs Workflows (start, activity, timer, signal, update, close), `concurrency` at a time. */
export async function runWorkflows(
  workerSession: ClientHttp2Session,
  client: ClientHttp2Session,
  target: Target,
  count: number,
  concurrency: number,
): Promise<LoadResult> {
  const queue = `bench-${target.name}`;
  const worker = startWorker(workerSession, target, queue);
  const latenciesMs = new Float64Array(count);
  const begin = performance.now();
  let next = 0;
  const slot = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      const startedAt = performance.now();
      await withinLimit(runWorkflow(client, target, queue, worker), worker);
      latenciesMs[number] = performance.now() - startedAt;
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, slot));
    return summarize(latenciesMs, performance.now() - begin);
  } finally {
    worker.stop();
  }
}

async function runWorkflow(
  session: ClientHttp2Session,
  target: Target,
  queue: string,
  worker: BenchWorker,
): Promise<void> {
  const id = `order-${randomUUID()}`;
  const namespace = field(1, target.namespace);
  const execution = field(2, field(1, id));
  const call = (method: string, ...fields: Buffer[]) =>
    callUnary(session, prepare(target, method, '20S', message(namespace, ...fields)));
  const timerFired = worker.answered(id, TASK_AFTER_TIMER);
  const signalTaken = worker.answered(id, TASK_AFTER_SIGNAL);

  await call(
    'StartWorkflowExecution',
    field(2, id),
    field(3, field(1, 'order')),
    field(4, taskQueue(queue)),
    field(5, jsonPayloads('{"item":"book"}')),
    field(9, IDENTITY),
    field(10, randomUUID()),
  );
  await timerFired;
  const signalInput = field(4, jsonPayloads('{"paid":true}'));
  await call('SignalWorkflowExecution', execution, field(3, 'paid'), signalInput, field(5, IDENTITY));
  await signalTaken;
  const meta = message(field(1, randomUUID()), field(2, IDENTITY));
  const input = message(field(2, 'ship'), field(3, jsonPayloads('{"to":"home"}')));
  const untilCompleted = field(4, numberField(1, 3));
  const update = field(5, message(field(1, meta), field(2, input)));
  await call('UpdateWorkflowExecution', execution, untilCompleted, update);
  await call('GetWorkflowExecutionHistory', execution, numberField(5, 1), numberField(6, 2));
}

async function withinLimit(work: Promise<void>, worker: BenchWorker): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('a Workflow took over 30 s')), WORKFLOW_MS_MAX);
  });
  try {
    await Promise.race([work, worker.failed, late]);
  } finally {
    clearTimeout(timer);
  }
}
