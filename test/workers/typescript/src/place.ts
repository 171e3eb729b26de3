import type { Client } from '@temporalio/client';

/** What a feature gets to work with. */
export interface Place {
  readonly client: Client;
  /** The task queue, and the beginning of every workflow id. */
  readonly prefix: string;
  /** Starts a Worker of this version on the task queue of the same name. @returns how to stop it. */
  startVersioned(deploymentName: string, buildId: string): Promise<() => Promise<void>>;
  /** Options for a workflow of this feature. */
  options<A extends unknown[]>(
    feature: string,
    ...args: A
  ): { workflowId: string; taskQueue: string; args: A };
}
