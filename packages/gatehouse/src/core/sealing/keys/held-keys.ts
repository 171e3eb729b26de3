import type { KeyObject } from 'node:crypto';
import { KmsKeyDisabledError, KmsUnavailableError } from '#base/crypto/kms';
import type { NamespaceKey } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { RefusalCode } from '#base/model/refusals';
import type { WrappedNamespaceKey } from '#base/store/directory';
import { isErased, newestOf } from './key-rows.ts';

/** A namespace key in memory, where nothing can print it. */
export interface HeldKey {
  readonly key: KeyObject;
  /** The row that it came from, as it was last seen to open. */
  readonly row: WrappedNamespaceKey;
  /** Its life: counted from the KMS' last good answer (monotonic ms). */
  readonly goodUntilMs: number;
}

/** By id of the key. */
export type HeldKeys = ReadonlyMap<string, HeldKey>;

/** What the KMS said of a row: its key, or an error. */
export type Answer = { readonly key: KeyObject } | { readonly error: unknown };
/** By id of the row's key; those that were not asked are not in it. */
export type Answers = ReadonlyMap<string, Answer>;

export interface KeyVerdict {
  readonly code: Extract<
    RefusalCode,
    'encryption_unavailable' | 'encryption_key_disabled' | 'namespace_erased'
  >;
  readonly detail: string;
  readonly cause?: unknown;
}

/**
 * The rows to ask the KMS about: those that are not held as they lie there, those that seal, and of each KMS key
 * the newest, whose answer tells for the others whether that KMS key may still be used.
 */
export function rowsToAsk(
  rows: readonly WrappedNamespaceKey[],
  held: HeldKeys,
): readonly WrappedNamespaceKey[] {
  const always = new Set([
    ...tellersOf(rows).values(),
    newestOf(rows, 'payload'),
    newestOf(rows, 'attribute'),
  ]);
  return rows.filter(
    (row) => row.state === 'active' && (always.has(row) || held.get(row.id)?.row.wrapped !== row.wrapped),
  );
}

/** Of each KMS key the newest row that it wrapped. */
function tellersOf(rows: readonly WrappedNamespaceKey[]): ReadonlyMap<string, WrappedNamespaceKey> {
  return new Map(rows.filter(({ state }) => state === 'active').map((row) => [row.kmsKeyId, row]));
}

/**
 * What is held after the KMS has answered. A key whose KMS key is disabled goes at once; one of which nothing
 * is known stays until its life is over; one whose row is gone or destroyed goes.
 */
export function holdAfter(
  rows: readonly WrappedNamespaceKey[],
  held: HeldKeys,
  answers: Answers,
  time: { readonly nowMs: number; readonly lifeMs: number },
): HeldKeys {
  const tellers = tellersOf(rows);
  const goodUntilMs = time.nowMs + time.lifeMs;
  const after = new Map<string, HeldKey>();
  for (const row of rows) {
    if (row.state !== 'active') continue;
    const own = answers.get(row.id);
    const known = held.get(row.id);
    if (own !== undefined && 'key' in own) {
      after.set(row.id, { key: known?.key.equals(own.key) === true ? known.key : own.key, row, goodUntilMs });
      continue;
    }
    const told = own ?? answers.get(tellers.get(row.kmsKeyId)?.id ?? '');
    if (known === undefined || isDisabled(told)) continue;
    if (told !== undefined && 'key' in told) after.set(row.id, { ...known, goodUntilMs });
    else if (time.nowMs < known.goodUntilMs) after.set(row.id, known);
  }
  return after;
}

/**
 * Why a namespace cannot be served after these answers; `undefined` where it can. The newest key of each purpose
 * is needed: an older one would seal what a rotation meant to keep from it.
 */
export function judgeKeys(
  record: NamespaceRecord,
  rows: readonly WrappedNamespaceKey[],
  answers: Answers,
): KeyVerdict | undefined {
  if (isErased(rows)) return { code: 'namespace_erased', detail: `the keys of ${record.id} are destroyed` };
  for (const purpose of ['payload', 'attribute'] as const) {
    const newest = newestOf(rows, purpose);
    if (newest === undefined) {
      if (purpose === 'attribute' || record.sealing === 'off') continue;
      return {
        code: 'encryption_unavailable',
        detail: `${record.id} has no ${purpose} key in the directory`,
      };
    }
    const answer = answers.get(newest.id);
    if (isDisabled(answer)) {
      const detail = `KMS key ${newest.kmsKeyId} of ${record.id} is disabled`;
      return { code: 'encryption_key_disabled', detail, cause: errorOf(answer) };
    }
    if (answer !== undefined && 'key' in answer) continue;
    const detail = `${purpose} key ${newest.id} of ${record.id} could not be unwrapped by ${newest.kmsKeyId}`;
    return { code: 'encryption_unavailable', detail, cause: errorOf(answer) };
  }
  return undefined;
}

/** True where the KMS was not reached: asked again soon. */
export function isUnanswered(answers: Answers): boolean {
  return [...answers.values()].some(
    (answer) => 'error' in answer && answer.error instanceof KmsUnavailableError,
  );
}

/** The same keys, so that a keyring over the ones serves for the others. */
export function areSameKeys(a: HeldKeys, b: HeldKeys): boolean {
  return a.size === b.size && [...a].every(([id, { key }]) => b.get(id)?.key === key);
}

function isDisabled(answer: Answer | undefined): boolean {
  return errorOf(answer) instanceof KmsKeyDisabledError;
}

function errorOf(answer: Answer | undefined): unknown {
  return answer !== undefined && 'error' in answer ? answer.error : undefined;
}

/** Copies for a keyring, which takes them over. Oldest first. */
export function copyKeys(held: HeldKeys): readonly NamespaceKey[] {
  return [...held.values()].map(({ key, row: { id, purpose, createdAtMs } }) => {
    const bytes = key.export();
    const copy = { id, purpose, createdAtMs, key: new Secret(bytes) };
    bytes.fill(0);
    return copy;
  });
}
