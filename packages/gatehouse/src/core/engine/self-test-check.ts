import type { Clock } from '#base/runtime/clock';
import type { EngineAddress, EngineTls } from './engine-call.ts';
import type { EnginePorts } from './engine-ports.ts';
import type { SigningKeys } from './engine-signing-keys.ts';

/** One thing that must not work, and whether it did not. */
export interface SelfTestCheck {
  readonly check: string;
  readonly held: boolean;
  readonly detail: string;
}

export interface SelfTestTarget {
  readonly address: EngineAddress;
  readonly tls: EngineTls;
  readonly keys: SigningKeys;
  readonly clock: Clock;
  readonly nexusEnabled: boolean;
  /** Present for an engine that we run: the ports around the frontend are tried too. */
  readonly local?: { readonly ports: EnginePorts; readonly pid: number };
}
