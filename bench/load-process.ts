import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endWithUs } from './child.ts';
import type { LoadCommand, LoadReply, LoadResult, Target } from './load-protocol.ts';

/** The parent's handle on the load process. Commands are sent one after another, never two at once. */
export interface Load {
  open(target: Target, connections: number): Promise<void>;
  run(target: Target, concurrency: number, calls: number): Promise<LoadResult>;
  /** Sends polls and returns at once: ask the engine how many have arrived. */
  park(target: Target, pollsPerConnection: number): Promise<void>;
  /** Opens and closes `count` connections, each with a full handshake. */
  handshakes(target: Target, count: number): Promise<void>;
  /** Runs whole Workflows, Worker's side included; the latencies are those of the Workflows. */
  workflows(target: Target, count: number, concurrency: number): Promise<LoadResult>;
  close(target: Target): Promise<void>;
  stop(): void;
}

/** Node flags of the load and of the echo engine: less garbage collection in what is not measured. */
export const CHILD_NODE_FLAGS = ['--max-semi-space-size=64'];

export function startLoad(): Load {
  const child = fork(fileURLToPath(new URL('load.ts', import.meta.url)), [], { execArgv: CHILD_NODE_FLAGS });
  endWithUs(child);
  const tell = (command: LoadCommand): Promise<LoadResult | undefined> =>
    new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the load process ended'));
      child.once('exit', onExit);
      child.once('message', (reply: LoadReply) => {
        child.off('exit', onExit);
        if ('error' in reply) reject(new Error(`${command.kind} on ${command.target.name}: ${reply.error}`));
        else resolve(reply.result);
      });
      child.send(command);
    });
  const tellForResult = async (command: LoadCommand): Promise<LoadResult> => {
    const result = await tell(command);
    if (result === undefined) throw new Error('the load process gave no result');
    return result;
  };
  return {
    open: async (target, connections) => void (await tell({ kind: 'open', target, connections })),
    run: (target, concurrency, calls) => tellForResult({ kind: 'run', target, concurrency, calls }),
    workflows: (target, count, concurrency) =>
      tellForResult({ kind: 'workflows', target, count, concurrency }),
    park: async (target, pollsPerConnection) =>
      void (await tell({ kind: 'park', target, pollsPerConnection })),
    handshakes: async (target, count) => void (await tell({ kind: 'handshakes', target, count })),
    close: async (target) => void (await tell({ kind: 'close', target })),
    stop: () => child.disconnect(),
  };
}
