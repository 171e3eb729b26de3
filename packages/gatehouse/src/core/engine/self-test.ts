import { EngineError } from './engine-error.ts';
import type { SelfTestCheck, SelfTestTarget } from './self-test-check.ts';
import { checkFrontendTls } from './self-test-frontend.ts';
import { checkPorts } from './self-test-ports.ts';
import { checkTokens } from './self-test-tokens.ts';

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
