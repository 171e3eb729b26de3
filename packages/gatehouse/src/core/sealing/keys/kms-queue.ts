import { KmsUnavailableError } from '#base/crypto/kms';

/** Of one KMS key. Enough to fill 10,000 namespaces in a minute at 100 ms a call; few enough to spare a KMS. */
const AT_ONCE_MAX = 16;

/** A question to a KMS, waiting or asked. */
export interface Question<T> {
  readonly answer: Promise<T>;
  /** Goes before everything that nobody waits for. */
  hurry(): void;
}

/**
 * Asks each KMS key a bounded number of questions at once, those that a caller waits for first. A KMS key that
 * is slow delays its own namespaces only.
 */
export interface KmsQueue {
  /** @param ask its answer is given up after the time limit: KmsUnavailableError. */
  put<T>(kmsKeyId: string, isUrgent: boolean, ask: () => Promise<T>): Question<T>;
}

export interface KmsQueueOptions {
  /** After this a question counts as unanswered, and the next one is asked. */
  readonly answerMs: number;
  readonly atOnceMax?: number;
}

interface Lane {
  asked: number;
  readonly urgent: Set<() => void>;
  readonly others: Set<() => void>;
}

export function createKmsQueue({ answerMs, atOnceMax = AT_ONCE_MAX }: KmsQueueOptions): KmsQueue {
  const lanes = new Map<string, Lane>();
  const laneOf = (kmsKeyId: string): Lane => {
    const known = lanes.get(kmsKeyId);
    if (known !== undefined) return known;
    const lane: Lane = { asked: 0, urgent: new Set(), others: new Set() };
    lanes.set(kmsKeyId, lane);
    return lane;
  };
  const advance = (kmsKeyId: string, lane: Lane): void => {
    while (lane.asked < atOnceMax) {
      const waiting = lane.urgent.size > 0 ? lane.urgent : lane.others;
      const [begin] = waiting;
      if (begin === undefined) break;
      waiting.delete(begin);
      lane.asked += 1;
      begin();
    }
    if (lane.asked === 0) lanes.delete(kmsKeyId);
  };
  return {
    put<T>(kmsKeyId: string, isUrgent: boolean, ask: () => Promise<T>): Question<T> {
      const lane = laneOf(kmsKeyId);
      const { promise, resolve } = Promise.withResolvers<T>();
      const begin = (): void => {
        const answer = withinMs(ask, answerMs);
        resolve(answer);
        const next = (): void => {
          lane.asked -= 1;
          advance(kmsKeyId, lane);
        };
        answer.then(next, next);
      };
      (isUrgent ? lane.urgent : lane.others).add(begin);
      advance(kmsKeyId, lane);
      return {
        answer: promise,
        hurry() {
          if (lane.others.delete(begin)) lane.urgent.add(begin);
        },
      };
    },
  };
}

/** What comes later is let go. */
function withinMs<T>(ask: () => Promise<T>, ms: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new KmsUnavailableError(`no answer within ${ms} ms`)), ms);
    timer.unref();
    ask()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
