import { timingSafeEqual } from 'node:crypto';
import { type Kms, UnwrapError } from '#base/crypto/kms';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import type { Directory, DirectoryWriter, NewAdminWord, WrappedNamespaceKey } from '#base/store/directory';
import { scopeOf, unwrapNamespaceKey, wrapNamespaceKey } from './wrapping-words.ts';

/** A rival that changes every row each time we look is no rival but a fault. */
const PASSES_MAX = 10;

export interface Rewrapping {
  readonly directory: Pick<Directory, 'namespaceKeys' | 'refresh'> & {
    readonly write: Pick<DirectoryWriter, 'rewrapNamespaceKey'>;
  };
  /** The KMS key that wrapped a row, by its id; `undefined` where it is not known here. */
  readonly kmsOf: (kmsKeyId: string, record: NamespaceRecord) => Kms | undefined;
  /** Wraps from now on. */
  readonly newKms: Kms;
  /** Also what this key wrapped already: for a KMS that has a new version under the same id. */
  readonly again?: boolean;
  readonly onRow?: (row: WrappedNamespaceKey) => void;
  /** Left with each change, for the audit chain of whoever runs the platform. */
  readonly wordOf?: (row: WrappedNamespaceKey) => NewAdminWord;
}

/**
 * Wraps the keys of a namespace with another KMS key. The namespace keys themselves stay, so nothing that they
 * sealed is touched and no call fails. One row after the other, each changed in one step: it can be broken off
 * anywhere and begun again, as long as both KMS keys can be used until it has said that it is done. A key that
 * is added meanwhile is wrapped too.
 * @returns how many rows were changed.
 * @throws Refusal `input_invalid` where a row's KMS key is not known; UnwrapError; what the KMS keys throw.
 */
export async function rewrapNamespaceKeys(rewrapping: Rewrapping, record: NamespaceRecord): Promise<number> {
  const { directory, newKms, again = false, onRow, wordOf } = rewrapping;
  const done = new Set<string>();
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    await directory.refresh();
    const due = directory
      .namespaceKeys(record.uuid)
      .filter((row) => row.state === 'active' && !done.has(row.id))
      .filter((row) => again || row.kmsKeyId !== newKms.keyId);
    if (due.length === 0) return done.size;
    for (const row of due) {
      const wrapped = await wrapAnew(rewrapping, record, row);
      const changed = await directory.write.rewrapNamespaceKey(
        row.id,
        row.wrapped,
        newKms.keyId,
        wrapped,
        wordOf?.(row),
      );
      // Otherwise a rival has changed or destroyed it: the next pass sees what it is now.
      if (!changed) continue;
      done.add(row.id);
      onRow?.(row);
    }
  }
  throw refuse('input_invalid', {
    publicDetail: 'the keys of the namespace change all the time; try again later',
  });
}

async function wrapAnew(
  { kmsOf, newKms }: Rewrapping,
  record: NamespaceRecord,
  row: WrappedNamespaceKey,
): Promise<string> {
  const oldKms = kmsOf(row.kmsKeyId, record);
  if (oldKms === undefined) {
    throw refuse('input_invalid', {
      publicDetail: `key ${row.id} is wrapped by ${row.kmsKeyId}, which is not configured here`,
    });
  }
  const scope = scopeOf(record);
  const key = await unwrapNamespaceKey(oldKms, scope, row);
  try {
    const wrapped = await wrapNamespaceKey(newKms, scope, key);
    // The old wrapping is about to go: what took its place must have been seen to open.
    const back = await unwrapNamespaceKey(newKms, scope, { ...row, kmsKeyId: newKms.keyId, wrapped });
    const isSame = timingSafeEqual(back.key.reveal(), key.key.reveal());
    back.key.destroy();
    if (!isSame) throw new UnwrapError();
    return wrapped;
  } finally {
    key.key.destroy();
  }
}
