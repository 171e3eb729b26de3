import type { Kms } from '#base/crypto/kms';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { NewAdminWord, WrappedNamespaceKey } from '#base/store/directory';
import { isErased, newestOf } from '#core/sealing/keys/key-rows';
import { rotateNamespaceKey } from '#core/sealing/make-namespace-keys';
import { rewrapNamespaceKeys } from '#core/sealing/rewrap-namespace-keys';
import { type KeysPlace, type OpenKeysPlace, openKeysPlace } from './keys-place.ts';

/** A namespace and its keys, as an operator sees them. */
export interface NamespaceKeyList {
  readonly id: string;
  readonly sealing: NamespaceRecord['sealing'];
  readonly keys: readonly ListedKey[];
}

export interface ListedKey extends Pick<WrappedNamespaceKey, 'id' | 'purpose' | 'createdAtMs'> {
  /** `current`: seals. `older`: opens what it sealed. `destroyed`: what it sealed is lost. */
  readonly state: 'current' | 'older' | 'destroyed';
  /** The KMS key. */
  readonly wrappedBy: string;
}

/**
 * What an operator does to namespace keys from outside the running platform. Every change leaves a word with it,
 * in the same write, which the platform puts into its audit chain.
 */
export interface KeysAdmin {
  /** @throws Refusal `namespace_unknown` where one id is given and there is no such namespace. */
  namespaces(id: string | undefined): readonly NamespaceRecord[];
  list(record: NamespaceRecord): NamespaceKeyList;
  /** @returns what was done, one text for each key; none where the namespace is not sealed and has no key. */
  rotate(record: NamespaceRecord, withAttributes: boolean): Promise<readonly string[]>;
  /** @param again also what the KMS key wrapped already. @returns how many keys were wrapped anew. */
  rewrap(record: NamespaceRecord, again: boolean): Promise<number>;
  /** Ends the migration window. @returns false where it was ended already. */
  seal(record: NamespaceRecord): Promise<boolean>;
  /** Also of a namespace that was deleted. @returns how many keys were destroyed. */
  destroy(id: string): Promise<number>;
  close(): Promise<void>;
}

/** @throws Error with the problem and the fix. */
export async function openKeysAdmin(place: KeysPlace, log: Log): Promise<KeysAdmin> {
  const open = await openKeysPlace(place, log);
  const { directory, kmsKeys } = open;
  await directory.refresh();
  return {
    namespaces: (id) => chooseNamespaces(open, id),
    list: (record) => listKeys(record, directory.namespaceKeys(record.uuid)),
    rotate: (record, withAttributes) => rotate(open, record, withAttributes),
    rewrap: (record, again) =>
      rewrapNamespaceKeys(
        {
          directory,
          kmsOf: (kmsKeyId) => kmsKeys.byId(kmsKeyId),
          newKms: wrapperOf(open, record),
          again,
          wordOf: ({ id, kmsKeyId }) =>
            wordOf('keys.rewrap', record.id, `${id} from ${kmsKeyId} to ${wrapperOf(open, record).keyId}`),
        },
        record,
      ),
    seal: (record) => seal(open, record),
    destroy: (id) => directory.write.destroyNamespaceKeys(id, wordOf('keys.destroy', id, '')),
    close: () => open.close(),
  };
}

function chooseNamespaces(
  { directory, region }: OpenKeysPlace,
  id: string | undefined,
): readonly NamespaceRecord[] {
  const { namespaces } = directory.snapshot();
  if (id !== undefined) {
    const record = namespaces.get(id);
    if (record === undefined) throw refuse('namespace_unknown', { detail: `there is no namespace ${id}` });
    return [record];
  }
  return [...namespaces.values()]
    .filter((record) => region === undefined || record.region === region)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function listKeys(record: NamespaceRecord, rows: readonly WrappedNamespaceKey[]): NamespaceKeyList {
  const stateOf = (row: WrappedNamespaceKey): ListedKey['state'] => {
    if (row.state === 'destroyed') return 'destroyed';
    return newestOf(rows, row.purpose) === row ? 'current' : 'older';
  };
  return {
    id: record.id,
    sealing: record.sealing,
    keys: rows.map((row) => ({
      id: row.id,
      purpose: row.purpose,
      state: stateOf(row),
      createdAtMs: row.createdAtMs,
      wrappedBy: row.kmsKeyId,
    })),
  };
}

async function rotate(
  open: OpenKeysPlace,
  record: NamespaceRecord,
  withAttributes: boolean,
): Promise<readonly string[]> {
  const { directory } = open;
  if (record.sealing === 'off' && directory.namespaceKeys(record.uuid).length === 0) return [];
  const kms = wrapperOf(open, record);
  const done: string[] = [];
  for (const purpose of withAttributes ? (['payload', 'attribute'] as const) : (['payload'] as const)) {
    const { row, made } = await rotateNamespaceKey(
      {
        directory,
        kms,
        clock: systemClock,
        wordOf: ({ id }) => wordOf('keys.rotate', record.id, `${purpose} ${id}`),
      },
      record,
      purpose,
    );
    done.push(`${purpose} key ${row.id}${made ? '' : ' (made by another process at the same moment)'}`);
  }
  return done;
}

async function seal({ directory }: OpenKeysPlace, record: NamespaceRecord): Promise<boolean> {
  if (record.sealing === 'on') return false;
  if (isErased(directory.namespaceKeys(record.uuid))) throw refuse('namespace_erased');
  if (record.sealing === 'off') {
    throw refuse('input_invalid', {
      publicDetail: `${record.id} is not sealed: set encryption.atRest of it to migrate first`,
    });
  }
  if (newestOf(directory.namespaceKeys(record.uuid), 'payload') === undefined) {
    throw refuse('input_invalid', { publicDetail: `${record.id} has no key yet: start the platform first` });
  }
  const word = wordOf('keys.seal', record.id, 'sealing on');
  // Not if somebody has switched it off meanwhile.
  await directory.write.setEncryption(record.id, { sealing: 'on' }, record.revision, word);
  return true;
}

function wrapperOf({ kmsKeys }: OpenKeysPlace, record: NamespaceRecord): Kms {
  const kms = kmsKeys.wrapperOf(record);
  if (kms !== undefined) return kms;
  throw refuse('input_invalid', {
    publicDetail: `the KMS key ${record.kmsKey} of ${record.id} is not configured here: give the --config of its platform`,
  });
}

function wordOf(method: string, namespace: string, detail: string): NewAdminWord {
  return { actor: 'operator:command', method, namespace, outcome: 'ok', detail };
}
