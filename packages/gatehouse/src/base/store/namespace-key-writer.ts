import { refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import { insertWord } from './admin-words.ts';
import type { DirectoryWriter, NewAdminWord, WrappedNamespaceKey } from './directory.ts';
import { checkNamespaceKeys, checkWrapped } from './input-checks.ts';
import type { WriteScope } from './write-transaction.ts';

export type NamespaceKeyWriter = Pick<
  DirectoryWriter,
  'addNamespaceKeys' | 'rewrapNamespaceKey' | 'destroyNamespaceKeys'
>;

export interface NamespaceKeyWriterOptions {
  /** As the directory writer's. */
  readonly write: <T>(work: (scope: WriteScope) => Promise<T>) => Promise<T>;
  /** Takes what was wiped out of every file that this process reaches. @throws Refusal `directory_unavailable` */
  readonly purge: () => Promise<void>;
  readonly clock: Clock;
}

type Newest = Parameters<DirectoryWriter['addNamespaceKeys']>[2];

export function createNamespaceKeyWriter({
  write,
  purge,
  clock,
}: NamespaceKeyWriterOptions): NamespaceKeyWriter {
  const leave = async ({ transaction }: WriteScope, word: NewAdminWord | undefined): Promise<void> => {
    if (word !== undefined) await insertWord(transaction, word, clock.now());
  };
  return {
    async addNamespaceKeys(id, keys, ifNewest, word) {
      checkNamespaceKeys(keys);
      await write(async (scope) => {
        await insertKeys(scope, id, keys, ifNewest);
        await leave(scope, word);
      });
    },
    async rewrapNamespaceKey(keyId, oldWrapped, kmsKeyId, wrapped, word) {
      checkWrapped(kmsKeyId, wrapped);
      return write(async (scope) => {
        const isOurs = await exchangeWrapped(scope, keyId, oldWrapped, { kms_key_id: kmsKeyId, wrapped });
        if (isOurs) await leave(scope, word);
        return isOurs;
      });
    },
    async destroyNamespaceKeys(id, word) {
      const count = await write(async (scope) => {
        const wiped = await wipeKeys(scope, id);
        await leave(scope, word);
        return wiped;
      });
      // Also where nothing was wiped now: the last attempt may have ended before this.
      await purge();
      return count;
    },
  };
}

async function insertKeys(
  { transaction, revision }: WriteScope,
  id: string,
  keys: readonly WrappedNamespaceKey[],
  ifNewest: Newest,
): Promise<void> {
  const alive = await transaction
    .selectFrom('namespaces')
    .select('uuid')
    .where('id', '=', id)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  if (alive === undefined) throw refuse('namespace_unknown', { detail: 'keys for no namespace' });
  if (keys.some(({ namespaceUuid }) => namespaceUuid !== alive.uuid)) {
    throw refuse('input_invalid', { publicDetail: 'a key is of another incarnation of the namespace' });
  }
  // The counter's row is ours: what is read here stays true until the commit.
  const held = await transaction
    .selectFrom('namespace_keys')
    .select(['id', 'purpose', 'state', 'ordinal'])
    .where('namespace_uuid', '=', alive.uuid)
    .orderBy('ordinal')
    .execute();
  if (held.some(({ state }) => state === 'destroyed')) {
    throw refuse('namespace_erased', { detail: 'a new key for a namespace whose keys were destroyed' });
  }
  const newest = held.findLast(({ purpose }) => purpose === ifNewest?.purpose)?.id ?? '';
  if (ifNewest !== undefined && newest !== ifNewest.keyId) {
    throw refuse('input_invalid', {
      publicDetail: 'the namespace has a newer key than the one that is named',
    });
  }
  const last = held.at(-1)?.ordinal ?? 0;
  const rows = keys.map((key, index) => ({
    id: key.id,
    namespace_uuid: alive.uuid,
    ordinal: last + 1 + index,
    purpose: key.purpose,
    created_at_ms: key.createdAtMs,
    kms_key_id: key.kmsKeyId,
    wrapped: key.wrapped,
    state: key.state,
    revision,
  }));
  await transaction.insertInto('namespace_keys').values(rows).execute();
}

async function exchangeWrapped(
  { transaction, revision }: WriteScope,
  keyId: string,
  oldWrapped: string,
  values: { readonly kms_key_id: string; readonly wrapped: string },
): Promise<boolean> {
  const changed = await transaction
    .updateTable('namespace_keys')
    .set({ ...values, revision })
    .where('id', '=', keyId)
    .where('wrapped', '=', oldWrapped)
    .where('state', '=', 'active')
    .returning('id')
    .executeTakeFirst();
  return changed !== undefined;
}

async function wipeKeys({ transaction, revision }: WriteScope, id: string): Promise<number> {
  const incarnations = await transaction
    .selectFrom('namespaces')
    .select('uuid')
    .where('id', '=', id)
    .execute();
  if (incarnations.length === 0) {
    throw refuse('namespace_unknown', { detail: 'the keys of no namespace were to be destroyed' });
  }
  const uuids = incarnations.map(({ uuid }) => uuid);
  const wiped = await transaction
    .updateTable('namespace_keys')
    .set({ wrapped: '', state: 'destroyed', revision })
    .where('namespace_uuid', 'in', uuids)
    .where('state', '=', 'active')
    .returning('id')
    .execute();
  return wiped.length;
}
