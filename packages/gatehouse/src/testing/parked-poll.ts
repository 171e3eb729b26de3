import type { AttackSite } from './attack-site.ts';
import type { ClientCredential } from './client-credential.ts';
import { counterOf } from './engine-watch.ts';
import { encode, type RawAnswer, type RawClient, WORKFLOW_SERVICE } from './grpc-client.ts';

/** A connection on which a Worker waits for a task that never comes. */
export interface ParkedPoll {
  readonly client: RawClient;
  /** GOAWAYs so far: their codes, and when they came on the monotonic clock. */
  readonly goaways: readonly { readonly code: number; readonly atMs: number }[];
  /** The monotonic time at which the connection closed. @throws Error when it has not closed by then. */
  closedWithin(limitMs: number): Promise<number>;
  readonly answer: Promise<RawAnswer>;
}

/** Opens a connection and parks a long poll on it. Resolves when the engine has the poll. */
export async function parkPoll(
  site: AttackSite,
  namespaceId: string,
  credential: ClientCredential,
): Promise<ParkedPoll> {
  const client = site.open(namespaceId, credential);
  const goaways: { code: number; atMs: number }[] = [];
  client.session.on('goaway', (code: number) => goaways.push({ code, atMs: performance.now() }));
  const closed = new Promise<number>((resolve) => {
    client.session.on('close', () => resolve(performance.now()));
  });
  const closedWithin = async (limitMs: number): Promise<number> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the connection is open after ${limitMs} ms`)), limitMs);
    });
    return await Promise.race([closed, late]).finally(() => clearTimeout(timer));
  };
  const request = encode('workflowservice.v1.PollWorkflowTaskQueueRequest', {
    namespace: namespaceId,
    taskQueue: { name: 'parked' },
    identity: 'parked',
  });
  const answer = client.call(`${WORKFLOW_SERVICE}PollWorkflowTaskQueue`, request, { timeoutMs: 60_000 });
  await site.engine.waitFor(counterOf('PollWorkflowTaskQueue', namespaceId));
  return { client, goaways, closedWithin, answer };
}
