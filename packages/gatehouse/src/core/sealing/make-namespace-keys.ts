import { randomBytes } from 'node:crypto';
import type { Kms } from '#base/crypto/kms';
import type { NamespaceKey } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal, refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import type { Directory, DirectoryWriter, NewAdminWord, WrappedNamespaceKey } from '#base/store/directory';
import { isErased, newestOf } from './keys/key-rows.ts';
import { NAMESPACE_KEY_BYTES, scopeOf, wrapNamespaceKey } from './wrapping-words.ts';

type Purpose = WrappedNamespaceKey['purpose'];

/** 16 hex digits. */
const KEY_ID_BYTES = 8;

export interface KeyMaking {
  readonly directory: Pick<Directory, 'namespaceKeys' | 'refresh'> & {
    readonly write: Pick<DirectoryWriter, 'addNamespaceKeys'>;
  };
  /** Wraps what is made. */
  readonly kms: Kms;
  readonly clock: Clock;
  /** Left with the key, for the audit chain of whoever runs the platform. */
  readonly wordOf?: (row: WrappedNamespaceKey) => NewAdminWord;
  /** A parameter for tests. */
  readonly random?: (bytes: number) => Buffer;
}

export interface MadeKey {
  /** The newest key of the purpose, whoever made it. */
  readonly row: WrappedNamespaceKey;
  /** False where another process was first, whose key it is then. */
  readonly made: boolean;
}

/**
 * Gives a namespace the first key of each purpose where it has none. Several processes may do it at once: one
 * of them makes each key. What is destroyed counts: an erased namespace gets no new keys.
 * @returns the purposes that were given. @throws Refusal of the directory; what the KMS throws.
 */
export async function ensureNamespaceKeys(
  making: KeyMaking,
  record: NamespaceRecord,
): Promise<readonly Purpose[]> {
  const given: Purpose[] = [];
  // Asked anew before each: whoever destroys keys meanwhile must not find one of the purposes made again.
  for (const purpose of ['payload', 'attribute'] as const) {
    const rows = making.directory.namespaceKeys(record.uuid);
    if (isErased(rows) || newestOf(rows, purpose) !== undefined) continue;
    if ((await addKey(making, record, purpose)).made) given.push(purpose);
  }
  return given;
}

/**
 * Adds a newer key of a purpose. What the older ones sealed stays readable; attribute values sealed from now on
 * differ from those stored, so an `attribute` key is rotated when an operator asks for it and never by time.
 * @throws Refusal `namespace_erased`, those of the directory; what the KMS throws.
 */
export async function rotateNamespaceKey(
  making: KeyMaking,
  record: NamespaceRecord,
  purpose: Purpose,
): Promise<MadeKey> {
  if (isErased(making.directory.namespaceKeys(record.uuid))) {
    throw refuse('namespace_erased', { detail: `a new key for ${record.id}, whose keys are destroyed` });
  }
  return await addKey(making, record, purpose);
}

async function addKey(making: KeyMaking, record: NamespaceRecord, purpose: Purpose): Promise<MadeKey> {
  const { directory } = making;
  const newest = newestOf(directory.namespaceKeys(record.uuid), purpose);
  const before = newest?.id ?? '';
  // Wrapped before the directory is written: a KMS may be far away.
  const row = await makeRow(making, record, purpose, newest);
  try {
    await directory.write.addNamespaceKeys(
      record.id,
      [row],
      { purpose, keyId: before },
      making.wordOf?.(row),
    );
    return { row, made: true };
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'input_invalid') throw error;
    await directory.refresh();
    const winner = newestOf(directory.namespaceKeys(record.uuid), purpose);
    if (winner === undefined || winner.id === before) throw error;
    return { row: winner, made: false };
  }
}

async function makeRow(
  { kms, clock, random = randomBytes }: KeyMaking,
  record: NamespaceRecord,
  purpose: Purpose,
  newest: WrappedNamespaceKey | undefined,
): Promise<WrappedNamespaceKey> {
  const bytes = random(NAMESPACE_KEY_BYTES);
  const key: NamespaceKey = {
    id: random(KEY_ID_BYTES).toString('hex'),
    purpose,
    // Later than what it follows, whatever the clocks of two replicas say: keyrings go by it.
    createdAtMs: Math.max(clock.now(), (newest?.createdAtMs ?? 0) + 1),
    key: new Secret(bytes),
  };
  bytes.fill(0);
  try {
    const wrapped = await wrapNamespaceKey(kms, scopeOf(record), key);
    return {
      id: key.id,
      namespaceUuid: record.uuid,
      purpose,
      createdAtMs: key.createdAtMs,
      kmsKeyId: kms.keyId,
      wrapped,
      state: 'active',
    };
  } finally {
    key.key.destroy();
  }
}
