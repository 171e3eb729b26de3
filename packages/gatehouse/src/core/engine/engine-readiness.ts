import { type EngineAddress, type EngineAnswer, type EngineTls, openEngineSession } from './engine-call.ts';
import {
  COUNT_WORKFLOWS,
  EMPTY_MESSAGE,
  GET_SYSTEM_INFO,
  namespaceRequest,
  readServerVersion,
} from './engine-messages.ts';
import type { EngineTokens } from './engine-tokens.ts';

export interface Readiness {
  readonly ready: boolean;
  /** What is still missing, for the operator. */
  readonly detail: string;
  /** As the engine states it, once it answers. */
  readonly version?: string;
}

/** A name that no tenant can have: public ids have a dot, and this one is never registered. */
const PROBE_NAMESPACE = 'gatehouse-readiness';

const OK = 0;
const NOT_FOUND = 5;

/**
 * Asks once whether the engine serves and takes our tokens. Health alone is not enough: it answers before the
 * frontend does, and a Worker dies of one PERMISSION_DENIED given while the engine has no keys
 * (engine.md section 6). So a token of each role that tenants' calls carry must have been accepted.
 */
export async function checkReadiness(
  target: { readonly address: EngineAddress; readonly tls: EngineTls },
  tokens: EngineTokens,
): Promise<Readiness> {
  const session = openEngineSession(target.address, target.tls);
  try {
    const info = await session.call(GET_SYSTEM_INFO, EMPTY_MESSAGE, undefined, 2_000);
    if (info.status !== OK) return { ready: false, detail: `GetSystemInfo: ${describe(info)}` };
    const version = readServerVersion(info.body);
    const known = version === undefined ? {} : { version };
    for (const role of ['read', 'write', 'admin'] as const) {
      const token = tokens.mintToken(PROBE_NAMESPACE, role);
      const answer = await session.call(COUNT_WORKFLOWS, namespaceRequest(PROBE_NAMESPACE), token, 2_000);
      if (answer.status !== NOT_FOUND && answer.status !== OK) {
        return { ready: false, detail: `a ${role} token: ${describe(answer)}`, ...known };
      }
    }
    return { ready: true, detail: 'ready', ...known };
  } finally {
    session.close();
  }
}

/**
 * Asks until the engine is ready.
 * @param stopped ends the wait, when the engine has died meanwhile.
 * @returns the last answer; `ready` is false when the time was up or the wait was ended.
 */
export async function waitUntilReady(
  target: () => { readonly address: EngineAddress; readonly tls: EngineTls },
  tokens: EngineTokens,
  options: { readonly limitMs: number; readonly stopped?: () => boolean },
): Promise<Readiness> {
  const endsAt = performance.now() + options.limitMs;
  let last: Readiness = { ready: false, detail: 'not asked yet' };
  while (!(options.stopped?.() ?? false)) {
    last = await checkReadiness(target(), tokens);
    if (last.ready || performance.now() >= endsAt) return last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { ...last, ready: false };
}

function describe(answer: EngineAnswer): string {
  return `status ${answer.status} ${answer.message}`.trim();
}
