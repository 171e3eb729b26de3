import { randomBytes } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { Kms } from '#base/crypto/kms';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKey, type TokenKeyring } from '#base/crypto/token-keyring';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { DirectorySchema, TokenKeyRow } from './database/schema.ts';
import type { DirectoryImage } from './directory-image.ts';

/** The lives of token-binding keys, in milliseconds. */
export interface TokenKeyTimes {
  /** A new key is made when the newest is this old. */
  readonly rotateMs: number;
  /** See `createTokenKeyring`. */
  readonly activateAfterMs: number;
  readonly graceMs: number;
}

/** After a key that could not be unwrapped: the KMS may be away. */
const RETRY_MS = 5_000;

/** The token-binding keys of the image in force, unwrapped. */
export interface TokenKeyStore {
  /** Undefined until one key could be unwrapped. */
  keyring(): TokenKeyring | undefined;
  /** Takes over an image's keys. Those that cannot be unwrapped are left out, and tried again later. */
  adopt(image: DirectoryImage): Promise<void>;
}

export function createTokenKeyStore(kms: Kms, clock: Clock, log: Log, times: TokenKeyTimes): TokenKeyStore {
  const unwrapped = new Map<string, TokenKey>();
  let adopted: readonly TokenKeyRow[] | undefined;
  let retryAt = Infinity;
  let keyring: TokenKeyring | undefined;

  const unwrap = async (lineage: string, row: TokenKeyRow): Promise<TokenKey | undefined> => {
    const known = unwrapped.get(row.wrapped);
    if (known !== undefined) return known;
    try {
      const key = await kms.unwrap(Buffer.from(row.wrapped, 'base64'), aadOfKey(lineage, row));
      const made = { id: row.id, createdAtMs: row.created_at_ms, key };
      unwrapped.set(row.wrapped, made);
      return made;
    } catch (error) {
      log.error('a token-binding key cannot be unwrapped: tokens bound with it are refused', {
        keyId: row.id,
        neededKmsKey: row.kms_key_id,
        kmsKey: kms.keyId,
        error,
      });
      return undefined;
    }
  };
  return {
    keyring: () => keyring,
    async adopt({ lineage, tokenKeys }) {
      if (tokenKeys === adopted && clock.monotonicMs() < retryAt) return;
      const keys: TokenKey[] = [];
      for (const row of tokenKeys) {
        const key = await unwrap(lineage, row);
        if (key !== undefined) keys.push(key);
      }
      adopted = tokenKeys;
      retryAt = keys.length === tokenKeys.length ? Infinity : clock.monotonicMs() + RETRY_MS;
      if (keys.length > 0) keyring = createTokenKeyring(keys, { ...times, clock });
      const wanted = new Set(tokenKeys.map((row) => row.wrapped));
      for (const wrapped of unwrapped.keys()) if (!wanted.has(wrapped)) unwrapped.delete(wrapped);
    },
  };
}

/** True where the newest key is old enough for a successor, or there is none. */
export function isRotationDue(rows: readonly TokenKeyRow[], times: TokenKeyTimes, nowMs: number): boolean {
  const newest = rows.at(-1);
  return newest === undefined || newest.created_at_ms + times.rotateMs <= nowMs;
}

/** The row after these. Wrapped before any lock is held: a KMS may be far away. */
export async function makeTokenKey(kms: Kms, image: DirectoryImage, nowMs: number): Promise<TokenKeyRow> {
  const row = { id: (image.tokenKeys.at(-1)?.id ?? 0) + 1, created_at_ms: nowMs };
  const key = new Secret(randomBytes(32));
  try {
    const wrapped = await kms.wrap(key, aadOfKey(image.lineage, row));
    return { ...row, kms_key_id: kms.keyId, wrapped: wrapped.toString('base64') };
  } finally {
    key.destroy();
  }
}

/** Stores a new key, unless another process was first, and removes those past their grace. */
export async function storeTokenKey(
  transaction: Transaction<DirectorySchema>,
  row: TokenKeyRow,
  times: TokenKeyTimes,
): Promise<void> {
  const held = await transaction
    .selectFrom('token_keys')
    .select(['id', 'created_at_ms'])
    .orderBy('id')
    .execute();
  if ((held.at(-1)?.id ?? 0) + 1 !== row.id) return;
  await transaction.insertInto('token_keys').values(row).execute();
  const past = held.filter((_, index) => {
    const successor = held[index + 1];
    return (
      successor !== undefined &&
      successor.created_at_ms + times.activateAfterMs + times.graceMs <= row.created_at_ms
    );
  });
  for (const { id } of past) await transaction.deleteFrom('token_keys').where('id', '=', id).execute();
}

/** Bound to database, number and time: a wrapped key in another row, or with another age, does not open. */
function aadOfKey(lineage: string, row: Pick<TokenKeyRow, 'id' | 'created_at_ms'>): string {
  return `token-key:${lineage}:${row.id}:${row.created_at_ms}`;
}
