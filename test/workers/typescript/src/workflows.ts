/** The workflows every program of this folder has, by the same names: a starter of one language may use
 * another language's Worker. */
import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type * as activities from './activities.ts';
import { customerKey, labelsKey } from './search-attributes.ts';

const { greet, tidy, breakTwice } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '100ms', backoffCoefficient: 1, maximumAttempts: 3 },
});
const { beat } = proxyActivities<typeof activities>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '5s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { maximumAttempts: 1 },
});
const local = proxyLocalActivities<typeof activities>({ startToCloseTimeout: '5s' });

export const put = defineSignal<[string]>('put');
export const close = defineSignal('close');
export const texts = defineQuery<string[]>('texts');
export const add = defineUpdate<number, [string]>('add');

export async function echo(text: string): Promise<string> {
  return text;
}

export async function greeting(name: string): Promise<string> {
  return await greet(name);
}

export async function localGreeting(name: string): Promise<string> {
  return await local.greet(name);
}

/** Milliseconds that the timer took by the workflow's own clock. */
export async function nap(): Promise<number> {
  const before = Date.now();
  await sleep('1s');
  return Date.now() - before;
}

/** Collects texts by signal and by update until it is closed. */
export async function mailbox(): Promise<string[]> {
  const kept: string[] = [];
  let open = true;
  setHandler(put, (text) => void kept.push(text));
  setHandler(close, () => {
    open = false;
  });
  setHandler(texts, () => kept);
  setHandler(add, (text) => kept.push(text), {
    validator: (text) => {
      if (text === '') throw new Error('an empty text is not kept');
    },
  });
  await condition(() => !open);
  return kept;
}

export async function parent(text: string): Promise<string> {
  return await executeChild(echo, { workflowId: `${workflowInfo().workflowId}-child`, args: [text] });
}

/** Waits for its cancellation and cleans up by an activity that the cancellation must not reach. */
export async function cleanup(): Promise<void> {
  try {
    await sleep('1h');
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => tidy(workflowInfo().workflowId));
    throw error;
  }
}

export async function stubborn(): Promise<string> {
  return await breakTwice();
}

export async function heart(): Promise<void> {
  await beat(workflowInfo().workflowId);
}

/** Starts itself anew until nothing is left; answers with the number of runs. */
export async function countdown(left: number, runs: number): Promise<number> {
  if (left > 0) await continueAsNew<typeof countdown>(left - 1, runs + 1);
  return runs + 1;
}

/** Fails by its child's activity. */
export async function brokenParent(): Promise<string> {
  return await executeChild(stubborn, { workflowId: `${workflowInfo().workflowId}-child` });
}

/** Deletes one entry of its memo and adds another. */
export async function remember(text: string): Promise<void> {
  upsertMemo({ note: text, gone: null });
}

/** Replaces its search attributes; answers with the customer that it was started for. */
export async function relabel(customer: string, labels: string[]): Promise<string | undefined> {
  const before = workflowInfo().typedSearchAttributes.get(customerKey);
  upsertSearchAttributes([
    { key: customerKey, value: customer },
    { key: labelsKey, value: labels },
  ]);
  // Until somebody has looked at it.
  let open = true;
  setHandler(close, () => {
    open = false;
  });
  await condition(() => !open);
  return before;
}

/** A timer and an activity that say what they are for. */
export async function explained(name: string): Promise<string> {
  await sleep('10ms', { summary: 'a short rest' });
  return await greet.executeWithOptions({ startToCloseTimeout: '10s', summary: 'a greeting' }, [name]);
}
