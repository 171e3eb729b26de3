import type { EngineAddress, EngineTls } from './engine-call.ts';
import type { TokenSigner } from './engine-signing-keys.ts';
import type { EngineTokens } from './engine-tokens.ts';
import type { EngineVersionVerdict } from './engine-version.ts';
import type { SelfTestCheck } from './self-test-check.ts';

/**
 * - `starting`: until the first readiness; `ready` follows, or `failed`
 * - `ready`: calls may be relayed; ends when the process dies or the engine stops accepting tokens
 * - `restarting`: it died and comes back by itself; `ready` follows
 * - `failed`: it cannot be run (tampered binary, a self-test that does not hold); an operator must look
 * - `stopped`: by `stop()`; final
 */
export type EngineState = 'starting' | 'ready' | 'restarting' | 'failed' | 'stopped';

/** An engine to relay to: one that we run, or one that is configured. */
export interface EngineHandle {
  /** Stays the same for the life of the handle. */
  readonly address: EngineAddress;
  /** What to show and trust on the next connection; changes when certificates are renewed. */
  readonly tls: EngineTls;
  readonly tokens: EngineTokens;
  /** What signs them now: the engine knows its public part. Another one follows within days. */
  signingKey(): TokenSigner;
  readonly version: string;
  /** Advisories that our settings or the gateway hold, or that the operator accepted (audit it, T-098). */
  readonly verdict: EngineVersionVerdict;
  readonly nexusEnabled: boolean;
  /** Process id of an engine that we run, while it runs. */
  readonly pid: number | undefined;
  state(): EngineState;
  /** @returns how to stop listening. */
  onState(listener: (state: EngineState) => void): () => void;
  /** Tries again what must not work (T-099), for `doctor`. */
  selfTest(): Promise<readonly SelfTestCheck[]>;
  /** Ends the engine in order. Once; later calls wait for the same end. */
  stop(): Promise<void>;
}

/** The state and its listeners. `stopped` and `failed` are left by nothing but `stopped`. */
export interface EngineStateHolder {
  state(): EngineState;
  set(next: EngineState): void;
  onState(listener: (state: EngineState) => void): () => void;
}

export function createStateHolder(): EngineStateHolder {
  let current: EngineState = 'starting';
  const listeners = new Set<(state: EngineState) => void>();
  return {
    state: () => current,
    set(next) {
      const final = current === 'stopped' || (current === 'failed' && next !== 'stopped');
      if (final || next === current) return;
      current = next;
      for (const listener of [...listeners]) listener(next);
    },
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
