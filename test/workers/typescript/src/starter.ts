import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { describeError, report } from './report.ts';
import { echo } from './workflows.ts';

/** Enough to keep a Worker busy, few enough that one start is not held up by another's deadline. */
const atOnce = 20;

/** Starts `count` echo workflows on another process's task queue and awaits what they answer. */
export async function startMany(client: Client, taskQueue: string, count: number): Promise<boolean> {
  const prefix = `starter-${randomUUID().slice(0, 8)}`;
  let next = 0;
  let completed = 0;
  const lane = async () => {
    while (next < count) {
      const workflowId = `${prefix}-${next++}`;
      try {
        const answer = await client.workflow.execute(echo, { workflowId, taskQueue, args: [workflowId] });
        if (answer !== workflowId) throw new Error(`answered ${answer}`);
        completed++;
      } catch (error) {
        report({ workflow: workflowId, ok: false, error: describeError(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
  report({ started: next, completed });
  return completed === count;
}
