import type { Kms } from '#base/crypto/kms';
import type { NamespaceKey, NamespaceKeyring, SealScope } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { type Refusal, refuse } from '#base/model/refusals';
import { type Backoff, createBackoff } from '#base/runtime/backoff';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { Directory, WrappedNamespaceKey } from '#base/store/directory';
import { scopeOf } from '../wrapping-words.ts';
import { type Asking, startAsking } from './asking.ts';
import {
  type Answers,
  areSameKeys,
  copyKeys,
  type HeldKeys,
  holdAfter,
  isUnanswered,
  judgeKeys,
  type KeyVerdict,
} from './held-keys.ts';
import { isErased, newestOf } from './key-rows.ts';
import { createKeyTrouble, type KeyTrouble } from './key-trouble.ts';
import type { KmsQueue } from './kms-queue.ts';
import { startUnwrapRound } from './unwrap-round.ts';

const RETRY_FIRST_MS = 500;
/** A namespace that refuses asks its KMS again after at most this; one whose key is disabled, always after this. */
const RETRY_MAX_MS = 10_000;
/** One that still serves from memory has more time. */
const RENEWAL_RETRY_MAX_MS = 30_000;
/** Renewals begin at 60 to 80 % of the time to a check: spread, and early enough to be done by then. */
const RENEWAL_SHARE = 0.6;
const RENEWAL_SPREAD = 0.2;
/** Rows that change every time while the KMS is asked about them are a fault, not a rotation. */
const ROUNDS_MAX = 5;

export interface NamespaceEntryOptions {
  readonly directory: Pick<Directory, 'namespaceKeys' | 'refresh'>;
  /** The KMS key that wrapped a row, by its id; `undefined` where it is not known here. */
  readonly kmsOf: (kmsKeyId: string, record: NamespaceRecord) => Kms | undefined;
  /** Takes the keys over. @param keys oldest first. */
  readonly createKeyring: (scope: SealScope, keys: readonly NamespaceKey[]) => NamespaceKeyring;
  readonly clock: Clock;
  readonly log: Log;
  readonly queue: KmsQueue;
  /** How long keys live after the KMS' last good answer. */
  readonly cacheMs: number;
  /** How old the KMS' last word may be before callers wait for the next. */
  readonly checkMs: number;
  /** How long callers wait for the KMS. */
  readonly patienceMs: number;
  /** Spreads renewals. */
  readonly random: () => number;
}

/**
 * One namespace's incarnation: its keys, how long they live, and what was last heard of their KMS. By what is set:
 * - `keyring`: serves until `servesUntilMs`. From `renewAtMs` on the KMS is asked in the background; from
 *   `waitAtMs` on callers wait for its answer, so that a namespace that was quiet does not go on with a key that
 *   was disabled meanwhile (F-07). A KMS that cannot be reached moves both to later (F-06).
 * - `verdict` without `keyring`: refuses until `retryAtMs`; then the next caller makes us ask again.
 * - `asking`: a question is under way; never two.
 */
export class NamespaceEntry {
  /** When the directory may be asked again because of this namespace (monotonic ms). */
  refreshAtMs = 0;
  refreshing: Promise<void> | undefined;
  readonly #options: NamespaceEntryOptions;
  readonly #backoff: Backoff;
  readonly #trouble: KeyTrouble;
  #record: NamespaceRecord;
  #rows: readonly WrappedNamespaceKey[] | undefined;
  #held: HeldKeys = new Map();
  #keyring: NamespaceKeyring | undefined;
  #verdict: KeyVerdict | undefined;
  #asking: Asking | undefined;
  /** The first moment at which something is due: before it, `current` answers. */
  #lookAtMs = 0;
  #servesUntilMs = 0;
  #renewAtMs = 0;
  #waitAtMs = Infinity;
  #retryAtMs = 0;
  #usedAtMs = 0;

  constructor(options: NamespaceEntryOptions, record: NamespaceRecord) {
    this.#options = options;
    this.#record = record;
    this.#backoff = createBackoff(RETRY_FIRST_MS, RENEWAL_RETRY_MAX_MS, options.random);
    this.#trouble = createKeyTrouble(options.log.with({ namespace: record.id }));
  }

  /** The hot path: the keyring where nothing is due. */
  current(record: NamespaceRecord, nowMs: number): NamespaceKeyring | undefined {
    if (nowMs >= this.#lookAtMs || record !== this.#record) return undefined;
    if (this.#options.directory.namespaceKeys(record.uuid) !== this.#rows) return undefined;
    this.#usedAtMs = nowMs;
    return this.#keyring;
  }

  /** The keyring, after what is due. @throws Refusal, or rejects with it. */
  take(record: NamespaceRecord): NamespaceKeyring | Promise<NamespaceKeyring> {
    const nowMs = this.#options.clock.monotonicMs();
    this.#usedAtMs = nowMs;
    this.#notice(record, nowMs);
    if (isErased(this.#rows ?? [])) throw this.#refusal();
    if (this.#keyring === undefined || nowMs >= this.#servesUntilMs) {
      this.#forget();
      if (this.#asking === undefined && nowMs < this.#retryAtMs) throw this.#refusal();
      const asking = this.#ask(true);
      if (asking.isOverdue) throw this.#refusal();
      return this.#answered(asking);
    }
    if (nowMs >= this.#renewAtMs) {
      const asking = this.#ask(nowMs >= this.#waitAtMs);
      if (nowMs >= this.#waitAtMs && !asking.isOverdue) return this.#answered(asking);
    }
    this.#setLook();
    return this.#keyring;
  }

  /** The keyring once no question is under way. @throws as {@link take}. */
  async takeNewest(record: NamespaceRecord): Promise<NamespaceKeyring> {
    const taken = await this.take(record);
    const asking = this.#asking;
    if (asking === undefined || asking.isOverdue) return taken;
    asking.hurry();
    return await this.#answered(asking);
  }

  /** Told that a KMS key may not be used any more. */
  disable(kmsKeyId: string): void {
    const rows = this.#rows ?? [];
    const needed = [newestOf(rows, 'payload'), newestOf(rows, 'attribute')];
    if (!needed.some((row) => row?.kmsKeyId === kmsKeyId)) return;
    // An answer that is on its way may be from before.
    this.#asking = undefined;
    const detail = `KMS key ${kmsKeyId} of ${this.#record.id} is said to be disabled`;
    this.#stop({ code: 'encryption_key_disabled', detail }, RETRY_MAX_MS);
    this.#trouble.tell(this.#verdict, new Map());
  }

  /** Nobody uses this namespace any more. */
  close(): void {
    this.#keyring?.forget();
    this.#asking = undefined;
    this.#forget();
  }

  isIdle(nowMs: number): boolean {
    return this.#asking === undefined && nowMs >= this.#usedAtMs + this.#options.cacheMs;
  }

  /** Takes over what the directory has changed: what it destroyed is gone before this call is answered. */
  #notice(record: NamespaceRecord, nowMs: number): void {
    const rows = this.#options.directory.namespaceKeys(record.uuid);
    if (rows === this.#rows && record === this.#record) return;
    const changed = rows !== this.#rows || record.sealing !== this.#record.sealing;
    this.#record = record;
    this.#rows = rows;
    if (isErased(rows)) {
      this.#stop({ code: 'namespace_erased', detail: `the keys of ${record.id} are destroyed` }, Infinity);
      this.#trouble.tell(this.#verdict, new Map());
    } else if (changed) {
      this.#hold(new Map(), nowMs);
      this.#renewAtMs = 0;
      this.#retryAtMs = 0;
      if (record.sealing !== 'off' && this.#keyring?.canSeal === false) this.#forget();
    }
  }

  #ask(isUrgent: boolean): Asking {
    if (this.#asking === undefined) {
      this.#asking = startAsking(this.#options.patienceMs, isUrgent, (asking) => this.#rounds(asking));
    } else if (isUrgent) {
      this.#asking.hurry();
    }
    return this.#asking;
  }

  #answered(asking: Asking): Promise<NamespaceKeyring> {
    const keyring = asking.answered.then(() => {
      if (this.#keyring === undefined) throw this.#refusal();
      return this.#keyring;
    });
    // A caller may let go of it: what it would have been told is told to the next.
    keyring.catch(() => undefined);
    return keyring;
  }

  /** Asks the KMS until its answers are about the rows as they are. */
  async #rounds(asking: Asking): Promise<void> {
    const { directory, clock } = this.#options;
    try {
      const { uuid, sealing } = this.#record;
      // Another process may have made the first key a moment ago.
      if (sealing !== 'off' && directory.namespaceKeys(uuid).length === 0) await directory.refresh();
      for (let left = ROUNDS_MAX; left > 0; left -= 1) {
        const rows = directory.namespaceKeys(uuid);
        const round = startUnwrapRound(this.#options, this.#record, {
          rows,
          held: this.#held,
          isUrgent: asking.isUrgent,
        });
        asking.onHurry = round.hurry;
        const answers = await round.answers;
        if (this.#asking !== asking) return;
        this.#rows = directory.namespaceKeys(uuid);
        if (this.#rows === rows || left === 1) {
          this.#settle(answers, clock.monotonicMs());
          break;
        }
        this.#hold(answers, clock.monotonicMs());
      }
    } catch (error) {
      if (this.#asking !== asking) return;
      const detail = `the keys of ${this.#record.id} could not be made ready`;
      this.#stop({ code: 'encryption_unavailable', detail, cause: error }, RETRY_MAX_MS);
      this.#trouble.tell(this.#verdict, new Map());
    }
    if (this.#asking === asking) this.#asking = undefined;
    this.#setLook();
  }

  /** Holds what may still be held. A keyring stays as long as its keys do: it has derived others from them. */
  #hold(answers: Answers, nowMs: number): void {
    const held = holdAfter(this.#rows ?? [], this.#held, answers, { nowMs, lifeMs: this.#options.cacheMs });
    const isSame = areSameKeys(held, this.#held);
    this.#held = held;
    if (this.#keyring !== undefined && !isSame) this.#keyring = this.#makeKeyring();
  }

  #makeKeyring(): NamespaceKeyring {
    return this.#options.createKeyring(scopeOf(this.#record), copyKeys(this.#held));
  }

  /** What follows from the answers: serve, go on serving for a while, or refuse. */
  #settle(answers: Answers, nowMs: number): void {
    const { cacheMs, checkMs, random } = this.#options;
    const verdict = judgeKeys(this.#record, this.#rows ?? [], answers);
    this.#trouble.tell(verdict, answers);
    if (verdict !== undefined && verdict.code !== 'encryption_unavailable') {
      this.#stop(verdict, RETRY_MAX_MS);
      return;
    }
    this.#hold(answers, nowMs);
    if (verdict === undefined) {
      this.#verdict = undefined;
      this.#keyring ??= this.#makeKeyring();
      this.#servesUntilMs = nowMs + cacheMs;
      this.#waitAtMs = nowMs + checkMs;
      const renewMs = checkMs * (RENEWAL_SHARE + RENEWAL_SPREAD * random());
      const unanswered = isUnanswered(answers);
      if (!unanswered) this.#backoff.reset();
      this.#renewAtMs = nowMs + (unanswered ? Math.min(this.#backoff.next(), renewMs) : renewMs);
    } else if (this.#keyring?.canSeal === true) {
      // `servesUntilMs` stays: the life counts from the last good answer.
      this.#verdict = verdict;
      this.#renewAtMs = nowMs + this.#backoff.next();
      this.#waitAtMs = Infinity;
    } else {
      this.#stop(verdict, Math.min(this.#backoff.next(), RETRY_MAX_MS));
    }
  }

  #stop(verdict: KeyVerdict, retryMs: number): void {
    // Calls that are under way have it too.
    if (verdict.code !== 'encryption_unavailable') this.#keyring?.forget();
    this.#forget();
    this.#verdict = verdict;
    this.#retryAtMs = this.#options.clock.monotonicMs() + retryMs;
  }

  #forget(): void {
    this.#keyring = undefined;
    this.#held = new Map();
    this.#lookAtMs = 0;
  }

  #setLook(): void {
    const asking = this.#asking;
    const dueAtMs = asking === undefined ? this.#renewAtMs : asking.isOverdue ? Infinity : this.#waitAtMs;
    this.#lookAtMs = this.#keyring === undefined ? 0 : Math.min(this.#servesUntilMs, dueAtMs);
  }

  #refusal(): Refusal {
    const { code, detail, cause } = this.#verdict ?? {
      code: 'encryption_unavailable',
      detail: `the KMS has not answered yet about the keys of ${this.#record.id}`,
    };
    return refuse(code, { detail, cause });
  }
}
