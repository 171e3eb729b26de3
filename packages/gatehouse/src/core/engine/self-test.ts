import type { Clock } from '#base/runtime/clock';
import type { EngineAddress, EngineTls } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import type { EnginePorts } from './engine-ports.ts';
import type { SigningKeys } from './engine-signing-keys.ts';
import { checkFrontendTls } from './self-test-frontend.ts';
import { checkPorts } from './self-test-ports.ts';
import { checkTokens } from './self-test-tokens.ts';

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

/**
 * Proves from outside that the settings hold (T-099): everything that engine.md section 4 says must fail is
 * tried on the running engine, and so is every port around the frontend.
 */
export async function runSelfTest(target: SelfTestTarget): Promise<readonly SelfTestCheck[]> {
  const groups = await Promise.all([
    checkFrontendTls(target),
    checkTokens(target),
    target.local === undefined ? [] : checkPorts({ ...target, ...target.local }),
  ]);
  return groups.flat();
}

/** @throws EngineError naming every check that did not hold. */
export function requireAllHeld(checks: readonly SelfTestCheck[]): void {
  const open = checks.filter((check) => !check.held);
  if (open.length === 0) return;
  throw new EngineError(
    `the engine is open where it must be closed: ${open.map((check) => `${check.check} (${check.detail})`).join('; ')}`,
  );
}
