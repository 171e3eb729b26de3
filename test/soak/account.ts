import assert from 'node:assert/strict';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { SteadyClient } from './steady-client.ts';
import { textOf } from './steady-load.ts';

/** What the engine holds of one Workflow. */
interface Recorded {
  readonly status: number;
  /** How many executions there are of its id. */
  runs: number;
}

export interface Account {
  readonly workflows: number;
  readonly activities: number;
  /** Activities that were tried more than once: at least once is what is promised of them. */
  readonly triedAgain: number;
}

const DEADLINE_MS = 10_000;
const PAGE = 500;
/** enums.v1: WORKFLOW_EXECUTION_STATUS_COMPLETED; EVENT_TYPE_WORKFLOW_EXECUTION_STARTED and so on. */
const STATUS_COMPLETED = 2;
const [STARTED, COMPLETED, ACTIVITY_SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED] = [1, 2, 10, 11, 12];

/**
 * Counts in the engine: every Workflow of the namespace has one execution, which completed; every acknowledged
 * one is there, has one end and the right result in its history, and each of its activities completed once.
 * @throws AssertionError that says what is wrong.
 */
export async function account(
  client: SteadyClient,
  acknowledged: Iterable<string>,
  resultOf: (workflowId: string) => string,
): Promise<Account> {
  const listed = await listAll(client);
  const wrong = [...listed].filter(([, { status, runs }]) => status !== STATUS_COMPLETED || runs !== 1);
  assert.deepEqual(wrong, [], 'Workflows that did not complete exactly once');
  let [activities, triedAgain] = [0, 0];
  for (const workflowId of acknowledged) {
    assert.ok(listed.has(workflowId), `${workflowId} was acknowledged and is not there`);
    const events = await historyOf(client, workflowId);
    const count = (type: number): number => events.filter(({ eventType }) => eventType === type).length;
    const last = events.at(-1);
    assert.deepEqual([count(STARTED), count(COMPLETED), last.eventType], [1, 1, COMPLETED], workflowId);
    assert.equal(textOf(last.attributes.value.result), resultOf(workflowId));
    assert.equal(count(ACTIVITY_COMPLETED), count(ACTIVITY_SCHEDULED), workflowId);
    activities += count(ACTIVITY_SCHEDULED);
    triedAgain += events.filter(
      ({ eventType, attributes }) => eventType === ACTIVITY_STARTED && attributes.value.attempt > 1,
    ).length;
  }
  return { workflows: listed.size, activities, triedAgain };
}

async function listAll(client: SteadyClient): Promise<ReadonlyMap<string, Recorded>> {
  const found = new Map<string, Recorded>();
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const fields = { pageSize: PAGE, nextPageToken };
    const reply = await ask(client, 'ListWorkflowExecutions', fields);
    for (const { execution, status } of reply.executions) {
      const known = found.get(execution.workflowId);
      if (known === undefined) found.set(execution.workflowId, { status, runs: 1 });
      else known.runs += 1;
    }
    nextPageToken = reply.nextPageToken;
  } while (nextPageToken.length > 0);
  return found;
}

// biome-ignore lint/suspicious/noExplicitAny: messages are dynamic here, and what is read of them is named above.
type Message = any;

async function historyOf(client: SteadyClient, workflowId: string): Promise<readonly Message[]> {
  const { history } = await ask(client, 'GetWorkflowExecutionHistory', { execution: { workflowId } });
  return history.events;
}

async function ask(client: SteadyClient, method: string, fields: Record<string, unknown>): Promise<Message> {
  const answer = await client.call(method, fields, DEADLINE_MS);
  assert.equal(answer.status, 0, `${method}: ${answer.message} ${answer.failure}`);
  return decode(`workflowservice.v1.${method}Response`, answer.body);
}
