import { deepStrictEqual as equal, ok } from 'node:assert/strict';
import { ActivityFailure, ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import { failure } from './expect.ts';
import type { Place } from './place.ts';
import { stubborn } from './workflows.ts';

/** The activity is tried again once, then fails for good; the caller sees the whole chain, details included. */
export async function failureWithCauseAndRetry({ client, options }: Place, name: string): Promise<void> {
  const error = await failure(client.workflow.execute(stubborn, options(name)), WorkflowFailedError);
  ok(error.cause instanceof ActivityFailure);
  const { cause } = error.cause;
  ok(cause instanceof ApplicationFailure);
  equal([cause.message, cause.type, cause.nonRetryable], ['broken at attempt 2', 'Broken', true]);
  equal(cause.details, [{ attempt: 2 }]);
  equal(cause.cause?.message, 'the root of it');
}
