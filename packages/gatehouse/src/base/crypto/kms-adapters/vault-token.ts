import type { Log } from '#base/runtime/log';
import { KmsUnavailableError } from '../kms.ts';
import { fieldOf } from './https/json-fields.ts';
import type { ServiceAnswer } from './https/service-client.ts';

export interface TokenDeps {
  readonly log: Log;
  /** For each question. */
  readonly timeoutMs: number;
  readonly random?: () => number;
}

type Ask = (path: string, body: object | undefined, signal: AbortSignal) => Promise<ServiceAnswer>;

/** What is known of the token: how long it lives from now on, if it ends at all. */
interface TokenLife {
  readonly leftMs: number;
  readonly isRenewable: boolean;
}

/** The first wait after a failure, doubled with each up to the longest. */
const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 60_000;
/** A renewal at its earliest, so that a token of no life cannot make us ask without a pause. */
const RENEW_LEAST_MS = 250;
/** The longest that a timer is set for; setTimeout itself ends at 24 days. */
const WAIT_MOST_MS = 24 * 3_600_000;

/**
 * Renews a token at about half of the life it has left, so always before two thirds of it. One that cannot be
 * renewed goes on being used until it ends, and the log says when that is. Failures are tried again for good:
 * calls say themselves what they are refused for.
 */
export function keepTokenAlive(ask: Ask, deps: TokenDeps): { end(): void } {
  const random = deps.random ?? Math.random;
  const ended = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  const later = (ms: number, work: () => Promise<void>): void => {
    if (ended.signal.aborted) return;
    timer = setTimeout(() => void work(), Math.min(ms, WAIT_MOST_MS));
    timer.unref();
  };
  const question = async (path: string, body: object | undefined): Promise<ServiceAnswer> =>
    await ask(path, body, AbortSignal.any([ended.signal, AbortSignal.timeout(deps.timeoutMs)]));
  const plan = (life: TokenLife): void => {
    failures = 0;
    if (life.leftMs <= 0) return;
    if (life.isRenewable) {
      later(Math.max(RENEW_LEAST_MS, life.leftMs * (0.45 + 0.1 * random())), renew);
      return;
    }
    deps.log.warn('the KMS token cannot be renewed: give a new one before it ends', {
      secondsLeft: Math.round(life.leftMs / 1000),
    });
  };
  const again = (work: () => Promise<void>, problem: string): void => {
    if (ended.signal.aborted) return;
    const ms = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** failures) * (0.5 + random() / 2);
    // Once at its beginning, not with each try: an outage is told by the calls.
    if (failures === 0) deps.log.warn('the KMS token was not renewed; it is tried again', { problem });
    failures += 1;
    later(ms, work);
  };
  const renew = async (): Promise<void> => {
    const life = await lifeAfter(question('auth/token/renew-self', {}), 'auth', 'lease_duration');
    if (typeof life === 'string') again(look, life);
    else plan(life);
  };
  const look = async (): Promise<void> => {
    const life = await lifeAfter(question('auth/token/lookup-self', undefined), 'data', 'ttl');
    if (typeof life === 'string') again(look, life);
    else plan(life);
  };
  later(0, look);
  return {
    end() {
      ended.abort();
      clearTimeout(timer);
    },
  };
}

/** The life that an answer tells of, or the problem with it. */
async function lifeAfter(
  answer: Promise<ServiceAnswer>,
  part: string,
  seconds: string,
): Promise<TokenLife | string> {
  try {
    const { status, json } = await answer;
    const left = fieldOf(json, part, seconds);
    if (status !== 200 || typeof left !== 'number') return `status ${status}`;
    return { leftMs: left * 1000, isRenewable: fieldOf(json, part, 'renewable') === true };
  } catch (error) {
    if (error instanceof KmsUnavailableError) return error.message;
    throw error;
  }
}
