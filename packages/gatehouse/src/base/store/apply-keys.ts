import type { Log } from '#base/runtime/log';
import type { NamespaceKeyTable } from './database/schema.ts';
import type { WrappedNamespaceKey } from './directory.ts';
import { oneOf } from './namespace-row.ts';
import type { ChangedRows } from './read-changes.ts';

/** The wrapped keys of each living namespace by its uuid, in the order of their making. */
export type KeysByNamespace = ReadonlyMap<string, readonly WrappedNamespaceKey[]>;

export interface AppliedKeys {
  /** The map that was before where nothing changed. */
  readonly keys: KeysByNamespace;
  readonly changedUuids: ReadonlySet<string>;
}

/**
 * The keys after these changes. Lists and keys that did not change stay the same objects.
 * @param whole the rows are all keys of living namespaces, not what came after.
 */
export function applyKeys(
  before: KeysByNamespace,
  rows: Pick<ChangedRows, 'namespaces' | 'namespaceKeys'>,
  whole: boolean,
  log: Log,
): AppliedKeys {
  const lists = new Map<string, WrappedNamespaceKey[]>();
  const kmsKeyIds = new Map<string, string>();
  for (const row of rows.namespaceKeys) {
    const uuid = row.namespace_uuid;
    const list = lists.get(uuid) ?? (whole ? [] : [...(before.get(uuid) ?? [])]);
    lists.set(uuid, list);
    const known = before.get(uuid)?.find(({ id }) => id === row.id);
    placeKey(list, row, readKey(row, known, kmsKeyIds, log));
  }
  const gone = whole
    ? [...before.keys()].filter((uuid) => !lists.has(uuid))
    : rows.namespaces
        .filter(({ state, uuid }) => state === 'deleted' && before.has(uuid))
        .map(({ uuid }) => uuid);
  return merge(before, lists, gone);
}

/** A list of keys that nobody can change. */
export function freezeKeys(keys: WrappedNamespaceKey[]): readonly WrappedNamespaceKey[] {
  for (const key of keys) Object.freeze(key);
  return Object.freeze(keys);
}

function readKey(
  row: NamespaceKeyTable,
  known: WrappedNamespaceKey | undefined,
  kmsKeyIds: Map<string, string>,
  log: Log,
): WrappedNamespaceKey | undefined {
  try {
    const key = keyOfRow(row, kmsKeyIds);
    return known !== undefined && isSameKey(known, key) ? known : key;
  } catch (error) {
    // What it sealed stays closed; the namespace's other keys go on.
    log.error('a row of a namespace key cannot be read: the key is left out', { keyId: row.id, error });
    return undefined;
  }
}

/** @param kmsKeyIds so that ten thousand keys of one KMS key hold its name once. */
function keyOfRow(row: NamespaceKeyTable, kmsKeyIds: Map<string, string>): WrappedNamespaceKey {
  const kmsKeyId = kmsKeyIds.get(row.kms_key_id) ?? row.kms_key_id;
  kmsKeyIds.set(kmsKeyId, kmsKeyId);
  const state = oneOf('state', row.state, ['active', 'destroyed']);
  if ((state === 'destroyed') !== (row.wrapped === '')) {
    throw new Error('columns state and wrapped contradict each other');
  }
  return {
    id: row.id,
    namespaceUuid: row.namespace_uuid,
    purpose: oneOf('purpose', row.purpose, ['payload', 'attribute']),
    createdAtMs: row.created_at_ms,
    kmsKeyId,
    wrapped: row.wrapped,
    state,
  };
}

/** Where a key of its id stands, or at the end: keys are only ever added after the others. */
function placeKey(
  list: WrappedNamespaceKey[],
  { id }: NamespaceKeyTable,
  key: WrappedNamespaceKey | undefined,
): void {
  const found = list.findIndex((other) => other.id === id);
  const at = found === -1 ? list.length : found;
  list.splice(at, 1, ...(key === undefined ? [] : [key]));
}

function merge(
  before: KeysByNamespace,
  lists: ReadonlyMap<string, WrappedNamespaceKey[]>,
  gone: readonly string[],
): AppliedKeys {
  const changed = [...lists].filter(([uuid, list]) => !isSameList(before.get(uuid) ?? [], list));
  const changedUuids = new Set([...changed.map(([uuid]) => uuid), ...gone]);
  if (changedUuids.size === 0) return { keys: before, changedUuids };
  const keys = new Map(before);
  for (const [uuid, list] of changed) keys.set(uuid, freezeKeys(list));
  for (const uuid of gone) keys.delete(uuid);
  return { keys, changedUuids };
}

function isSameList(a: readonly WrappedNamespaceKey[], b: readonly WrappedNamespaceKey[]): boolean {
  return a.length === b.length && a.every((key, index) => key === b[index]);
}

function isSameKey(a: WrappedNamespaceKey, b: WrappedNamespaceKey): boolean {
  return (
    a.namespaceUuid === b.namespaceUuid &&
    a.purpose === b.purpose &&
    a.createdAtMs === b.createdAtMs &&
    a.kmsKeyId === b.kmsKeyId &&
    a.wrapped === b.wrapped &&
    a.state === b.state
  );
}
