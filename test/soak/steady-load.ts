import { setTimeout as wait } from 'node:timers/promises';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { CallResult, SteadyClient } from './steady-client.ts';
import type { Sample } from './trend.ts';

const START_DEADLINE_MS = 5000;
const RESULT_DEADLINE_MS = 10_000;
const RETRY_MS = 100;
/** Besides those that wait: more would only pile up behind a fault. */
const UNDER_WAY_MAX = 64;
/** enums.v1: EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT. */
const COMPLETED = 2;
const CLOSE_EVENT = 2;

export interface SteadyLoad {
  /** Ids of the Workflows whose start was answered OK, and when. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Their results as the starter got them. */
  readonly results: ReadonlyMap<string, string>;
  /** How often each answer other than OK came, by the phase it came in. */
  readonly refused: ReadonlyMap<string, number>;
  /** What must never happen, in words. */
  readonly faults: readonly string[];
  /** Milliseconds of each start at its first try, by Unix time; those in a disturbance are left out. */
  readonly latencies: readonly Sample[];
  readonly calls: number;
  phase: string;
  /** Starts no more, and waits until every result is in. */
  finish(): Promise<void>;
  /** Leaves everything as it is: the test has failed. */
  abandon(): void;
}

/** Starts `greeting` Workflows at this rate, on each task queue in turn, and awaits what each of them returns. */
export function startSteadyLoad(
  client: SteadyClient,
  taskQueues: readonly string[],
  perSecond: number,
): SteadyLoad {
  const acknowledged = new Map<string, number>();
  const results = new Map<string, string>();
  const refused = new Map<string, number>();
  const faults: string[] = [];
  const latencies: Sample[] = [];
  const underWay = new Set<Promise<void>>();
  let calls = 0;
  let running = true;
  let abandoned = false;

  /** One call until it is answered OK: as an SDK does, with the same request id. */
  const insist = async (
    method: string,
    fields: Record<string, unknown>,
    deadlineMs: number,
  ): Promise<CallResult & { readonly tries: number }> => {
    for (let tries = 1; !abandoned; tries += 1) {
      const answer = await client.call(method, fields, deadlineMs);
      calls += 1;
      if (answer.hung) faults.push(`${method} hung past its deadline in "${load.phase}"`);
      if (answer.status === 0) return { ...answer, tries };
      const key = `${load.phase}: ${answer.status} ${answer.message || answer.failure}`;
      refused.set(key, (refused.get(key) ?? 0) + 1);
      await wait(RETRY_MS);
    }
    throw new Error('abandoned');
  };
  const run = async (workflowId: string, taskQueue: string): Promise<void> => {
    const began = load.phase;
    const started = await insist(
      'StartWorkflowExecution',
      {
        workflowId,
        requestId: workflowId,
        workflowType: { name: 'greeting' },
        taskQueue: { name: taskQueue },
        input: { payloads: [jsonPayload(workflowId)] },
        identity: 'soak',
      },
      START_DEADLINE_MS,
    );
    acknowledged.set(workflowId, Date.now());
    const isQuiet = began === 'quiet' && load.phase === 'quiet' && started.tries === 1;
    if (isQuiet) latencies.push({ at: Date.now(), value: started.tookMs });
    results.set(workflowId, await resultOf(workflowId));
  };
  const resultOf = async (workflowId: string): Promise<string> => {
    for (;;) {
      const { body } = await insist(
        'GetWorkflowExecutionHistory',
        { execution: { workflowId }, waitNewEvent: true, historyEventFilterType: CLOSE_EVENT },
        RESULT_DEADLINE_MS,
      );
      const { history } = decode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', body);
      const last = history?.events.at(-1);
      // The long poll of the engine ended first, or it answered with what there was.
      if (last === undefined) continue;
      if (last.eventType !== COMPLETED) return `event ${last.eventType}`;
      return textOf(last.attributes.value.result);
    }
  };
  const load: SteadyLoad = {
    acknowledged,
    results,
    refused,
    faults,
    latencies,
    get calls() {
      return calls;
    },
    phase: 'quiet',
    abandon() {
      running = false;
      abandoned = true;
    },
    async finish() {
      running = false;
      await ticking;
      await Promise.all(underWay);
    },
  };
  const tick = async (): Promise<void> => {
    for (let index = 0; running; index += 1) {
      await wait(1000 / perSecond);
      if (underWay.size >= UNDER_WAY_MAX) continue;
      const taskQueue = taskQueues[index % taskQueues.length] ?? '';
      const work = run(`${taskQueue}-${index}`, taskQueue)
        .catch((error: unknown) => void faults.push(String(error)))
        .finally(() => underWay.delete(work));
      underWay.add(work);
    }
  };
  const ticking = tick();
  return load;
}

function jsonPayload(value: unknown): { metadata: Record<string, Uint8Array>; data: Uint8Array } {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}

/** The one payload of a result, as text. */
export function textOf(payloads: { readonly payloads: readonly { readonly data: Uint8Array }[] }): string {
  const [payload] = payloads.payloads;
  return payload === undefined ? '' : String(JSON.parse(Buffer.from(payload.data).toString('utf8')));
}
