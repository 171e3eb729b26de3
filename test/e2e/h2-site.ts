import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AuditEvent } from '../../packages/gatehouse/src/base/model/audit-event.ts';

/** What the gateway's process says when it is ready. */
export interface GatewayStarted {
  readonly grpc: number;
  readonly https: number;
  readonly domain: string;
  readonly serverCa: string;
  /** A certificate that the tenants admit. */
  readonly cert: string;
  readonly key: string;
  readonly strangerCert: string;
  readonly strangerKey: string;
}

export interface GatewayState {
  /** How many records there were, by `kind outcome reason`. */
  readonly counts: Readonly<Record<string, number>>;
  /** The last hundred of calls and of connections, calls first. */
  readonly events: readonly AuditEvent[];
  /** Lines of the operator's log at level error: bugs. */
  readonly errors: readonly string[];
  readonly engineSaw: number;
  /** Calls that the engine has not answered and whose caller is still there. */
  readonly engineOpen: number;
  readonly connections: number;
  /** After a full collection: what is held. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly cpuMs: number;
}

export interface ToGateway {
  readonly id: number;
  /** Forgets records and requests seen so far. */
  readonly reset?: boolean;
  /** Lets the gateway's monotonic clock jump ahead. */
  readonly passMs?: number;
  /** How large the engine's answers to GetSystemInfo are. */
  readonly replyBytes?: number;
}

/** A gateway in a process of its own, under attack by this one. */
export interface H2Site extends GatewayStarted {
  ask(message?: Omit<ToGateway, 'id'>): Promise<GatewayState>;
  /** Waits for a state that a test expects. @throws AssertionError with what `describe` shows when it does not come. */
  until(expected: (state: GatewayState) => boolean, describe?: string): Promise<GatewayState>;
  /** Whether the process still runs. */
  readonly alive: boolean;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL('./h2-gateway.ts', import.meta.url));

export async function startH2Site(options: { readonly args?: readonly string[] } = {}): Promise<H2Site> {
  const child = fork(program, [...(options.args ?? [])], {
    execArgv: ['--conditions=source', '--expose-gc', '--max-semi-space-size=16'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [{ started }] = (await once(child, 'message')) as [{ started: GatewayStarted }];
  const waiting = new Map<number, (state: GatewayState) => void>();
  child.on('message', ({ id, state }: { id: number; state: GatewayState }) => {
    waiting.get(id)?.(state);
    waiting.delete(id);
  });
  let next = 0;
  const ask = (message: Omit<ToGateway, 'id'> = {}): Promise<GatewayState> =>
    new Promise((resolve, reject) => {
      if (child.exitCode !== null || child.signalCode !== null) {
        reject(new Error(`the gateway's process has ended: ${child.exitCode ?? child.signalCode}`));
        return;
      }
      next += 1;
      waiting.set(next, resolve);
      child.send({ ...message, id: next });
    });
  return {
    ...started,
    ask,
    async until(expected, describe = '') {
      for (const endsAt = performance.now() + 15_000; ; ) {
        const state = await ask();
        if (expected(state)) return state;
        const { counts, engineSaw, connections, errors } = state;
        if (performance.now() > endsAt) {
          assert.fail(`${describe}: ${JSON.stringify({ counts, engineSaw, connections, errors })}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
