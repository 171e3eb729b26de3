import type { AuditEvent } from '#base/model/audit-event';
import type { Clock } from '#base/runtime/clock';

/**
 * Folds a flood of the same refusal into one record with a count (threats.md, standing rules): never dropped.
 *
 * The first refusals of a kind pass as they are; what comes after them within the window is held as one
 * record, which is given on when the window ends. Everything but refusals passes at once.
 */
export interface Folding {
  offer(event: AuditEvent): void;
  /** Gives on all that is held: before a clean end. */
  flush(): void;
}

export interface FoldingOptions {
  readonly clock: Clock;
  readonly emit: (event: AuditEvent) => void;
  /** How many alike refusals pass as they are in one window. */
  readonly freeCount?: number;
  readonly windowMs?: number;
}

/** Enough that a person's or a Worker's mistakes are all written out; a flood is thousands. */
const FREE_COUNT = 50;
const WINDOW_MS = 1_000;
/** Kinds told apart at once, about 4 MiB. When there are more, all that is held is given on. */
const KEYS_MAX = 10_000;

interface Held {
  seen: number;
  first: AuditEvent | undefined;
  count: number;
}

export function createFolding(options: FoldingOptions): Folding {
  const { clock, emit, freeCount = FREE_COUNT, windowMs = WINDOW_MS } = options;
  const held = new Map<string, Held>();
  let windowEndMs = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    for (const { first, count } of held.values()) {
      if (first !== undefined) emit(first.count === count ? first : { ...first, count });
    }
    held.clear();
  };

  return {
    flush,
    offer(event) {
      if (event.outcome !== 'refused') {
        emit(event);
        return;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= windowEndMs || held.size >= KEYS_MAX) {
        flush();
        windowEndMs = nowMs + windowMs;
      }
      const key = foldingKey(event);
      let entry = held.get(key);
      if (entry === undefined) {
        entry = { seen: 0, first: undefined, count: 0 };
        held.set(key, entry);
      }
      entry.seen += 1;
      if (entry.seen <= freeCount) {
        emit(event);
        return;
      }
      entry.first ??= event;
      entry.count += event.count;
      // Nothing may come after a flood: the window then ends by the timer.
      timer ??= setTimeout(flush, windowMs);
    },
  };
}

// The port is left out: each new connection of one flood has another.
const PORT = /:\d+$/;

/** Principal and credential are part of it: a count must not hide who. */
function foldingKey(event: AuditEvent): string {
  const { kind, namespace, method, reason, peer, principal, credential, endpoint } = event;
  return JSON.stringify([
    kind,
    namespace,
    method,
    reason,
    peer.replace(PORT, ''),
    principal,
    credential,
    endpoint,
  ]);
}
