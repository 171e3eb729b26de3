import { setTimeout as wait } from 'node:timers/promises';
import {
  decode,
  encode,
  openRawClient,
  WORKFLOW_SERVICE,
} from '../../../packages/gatehouse/src/testing/grpc-client.ts';
import type { House } from '../../../packages/gatehouse/src/testing/house.ts';
import { until } from '../gatehouse-process.ts';

/** Who calls: one namespace, with or without a Worker in it. */
export interface Lane {
  readonly name: string;
  readonly namespace: string;
  /** The task queue of a Worker that answers. */
  readonly workerQueue?: string;
}

/** A round that is over, in the order in which rounds ended. */
export interface Round {
  /** The lane's. */
  readonly name: string;
  /** `ok`, or the status and text of the call that failed. */
  readonly said: string;
}

/** Calls, one after the other in each lane, until it is stopped. */
export interface SealedLoad {
  readonly rounds: readonly Round[];
  /** Rounds from now on. */
  mark(): RoundsSince;
  /** @returns the rounds that did not end well. */
  stop(): Promise<readonly Round[]>;
}

export interface RoundsSince {
  of(name: string): readonly string[];
  /** Resolves when so many more rounds of this lane have ended so. */
  reach(name: string, said: string | RegExp, count?: number): Promise<void>;
}

/** Between rounds: what is proven is their order, not their number. */
const REST_MS = 50;
const REACH_MS = 25_000;
/** How long a round waits for its Worker. */
const WORKER_MS = 5000;

/** Starts a round in each lane, and the next when it has ended. */
export function startSealedLoad(house: House, lanes: readonly Lane[]): SealedLoad {
  const rounds: Round[] = [];
  let isRunning = true;
  const running = lanes.map(async ({ name, namespace, workerQueue }) => {
    const client = openNamespace(house, namespace);
    while (isRunning) {
      rounds.push({ name, said: await client.round(workerQueue) });
      await wait(REST_MS);
    }
    client.close();
  });
  return {
    rounds,
    mark() {
      const from = rounds.length;
      const of = (name: string): readonly string[] =>
        rounds.slice(from).flatMap((round) => (round.name === name ? [round.said] : []));
      const isLike = (said: string, wanted: string | RegExp): boolean =>
        typeof wanted === 'string' ? said === wanted : wanted.test(said);
      return {
        of,
        reach: (name, said, count = 1) =>
          until(
            `${count} times "${said}" of ${name}`,
            () => of(name).filter((it) => isLike(it, said)).length >= count,
            REACH_MS,
          ),
      };
    },
    async stop() {
      isRunning = false;
      await Promise.all(running);
      return rounds.filter(({ said }) => said !== 'ok');
    },
  };
}

export interface NamespaceClient {
  /**
   * Starts a Workflow with an input and reads it back, from a Worker's answer where a task queue is given,
   * otherwise from the history. @returns `ok`, or the status and text of the call that failed.
   */
  round(workerQueue?: string): Promise<string>;
  /** The input that a Workflow was started with. */
  readInput(workflowId: string): Promise<string>;
  close(): void;
}

const ALL_EVENTS = 1;
const CLOSE_EVENT = 2;
let count = 0;

export function openNamespace(house: House, namespace: string): NamespaceClient {
  const client = openRawClient({
    endpoint: house.endpoint,
    certificateOf: namespace,
    serverName: `${namespace}.${house.endpoint.domain}`,
  });
  const call = async (method: string, fields: Record<string, unknown>, timeoutMs = 20_000) => {
    const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
    const { status, message, failure, body } = await client.call(WORKFLOW_SERVICE + method, request, {
      timeoutMs,
    });
    if (status !== 0) throw new CallFailed(`${method} ${status} ${message} ${failure}`);
    return decode(`workflowservice.v1.${method}Response`, body);
  };
  /** The first payload of the first event, or of the last where a Worker answers. */
  const read = async (workflowId: string, field: 'input' | 'result'): Promise<string> => {
    const isResult = field === 'result';
    const asked = {
      execution: { workflowId },
      waitNewEvent: isResult,
      historyEventFilterType: isResult ? CLOSE_EVENT : ALL_EVENTS,
    };
    const timeoutMs = isResult ? WORKER_MS : undefined;
    const { history } = await call('GetWorkflowExecutionHistory', asked, timeoutMs);
    const payload = history.events[0]?.attributes.value[field]?.payloads[0];
    return payload === undefined ? `no ${field}` : JSON.parse(Buffer.from(payload.data).toString());
  };
  return {
    async round(workerQueue) {
      count += 1;
      const text = `round-${count}`;
      const data = Buffer.from(JSON.stringify(text));
      const payloads = [{ metadata: { encoding: Buffer.from('json/plain') }, data }];
      try {
        await call('StartWorkflowExecution', {
          workflowId: text,
          workflowType: { name: 'echo' },
          taskQueue: { name: workerQueue ?? 'nobody' },
          requestId: text,
          input: { payloads },
        });
        const answer = await read(text, workerQueue === undefined ? 'input' : 'result');
        return answer === text ? 'ok' : `read ${answer} instead of ${text}`;
      } catch (error) {
        if (error instanceof CallFailed) return error.message;
        throw error;
      }
    },
    readInput: (workflowId) => read(workflowId, 'input'),
    close: () => client.close(),
  };
}

class CallFailed extends Error {}
