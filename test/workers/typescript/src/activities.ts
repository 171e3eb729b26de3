/** The activities, and what they noted in this process for the features to look at. */
import { ApplicationFailure, Context } from '@temporalio/activity';

/** Workflow ids whose cleanup ran, and whose heartbeating activity saw its cancellation. */
export const noted = { tidied: new Set<string>(), stopped: new Set<string>() };

export async function greet(name: string): Promise<string> {
  return `Hello, ${name}`;
}

export async function tidy(workflowId: string): Promise<void> {
  noted.tidied.add(workflowId);
}

/** Fails in a way that is retried, then in a way that is not; both with a cause. */
export async function breakTwice(): Promise<string> {
  const { attempt } = Context.current().info;
  throw ApplicationFailure.create({
    message: `broken at attempt ${attempt}`,
    type: 'Broken',
    nonRetryable: attempt > 1,
    details: [{ attempt }],
    cause: new Error('the root of it'),
  });
}

/** Beats until it is cancelled. */
export async function beat(workflowId: string): Promise<void> {
  const context = Context.current();
  try {
    for (let count = 1; ; count++) {
      context.heartbeat({ count });
      await context.sleep(100);
    }
  } finally {
    if (context.cancellationSignal.aborted) noted.stopped.add(workflowId);
  }
}
