import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Log } from '#base/runtime/log';
import { applyKeys, type KeysByNamespace } from './apply-keys.ts';
import type { NamespaceTable, TokenKeyRow } from './database/schema.ts';
import { isSameRecord, recordOfRow } from './namespace-row.ts';
import type { Changes } from './read-changes.ts';

/** All that a replica knows of the directory at one revision. Immutable. */
export interface DirectoryImage {
  readonly lineage: string;
  readonly revision: number;
  readonly namespaces: ReadonlyMap<string, NamespaceRecord>;
  readonly namespaceKeys: KeysByNamespace;
  /** Wrapped, as they lie in the database. */
  readonly tokenKeys: readonly TokenKeyRow[];
}

/** The database went back in time, or is another one. Its content is not taken. */
export class DirectoryRewoundError extends Error {
  constructor(problem: string) {
    super(
      `${problem}; the newer snapshot goes on serving and changes are refused. Bring the newer database back; or, to go on from this one, stop every replica, delete their sealed copies and start again`,
    );
    this.name = 'DirectoryRewoundError';
  }
}

export interface AppliedChanges {
  readonly image: DirectoryImage;
  /** Of the namespaces that were made, changed or deleted, and of those whose keys were. */
  readonly changedIds: readonly string[];
}

/**
 * The image after these changes. Records that did not change stay the same objects.
 * @param whole the changes are the whole directory, not what came after the image.
 * @throws DirectoryRewoundError for an older revision or another database: a revision only grows.
 */
export function applyChanges(
  before: DirectoryImage | undefined,
  changes: Changes,
  whole: boolean,
  log: Log,
): AppliedChanges {
  if (before !== undefined) refuseRewound(before, changes);
  const { lineage, revision, rows } = changes;
  if (rows === undefined) {
    if (before === undefined) throw new Error('the first reading of the directory was not whole');
    return { image: before, changedIds: [] };
  }
  const old = before?.namespaces ?? new Map<string, NamespaceRecord>();
  const namespaces = new Map(whole ? [] : old);
  for (const row of rows.namespaces) applyRow(namespaces, old, row, log);
  const differing = idsThatDiffer(old, namespaces, whole ? undefined : rows.namespaces);
  const { keys, changedUuids } = applyKeys(before?.namespaceKeys ?? new Map(), rows, whole, log);
  return {
    // With no change the map stays too: who compares it sees that nothing happened.
    image: Object.freeze({
      lineage,
      revision,
      namespaces: before !== undefined && differing.length === 0 ? old : namespaces,
      namespaceKeys: keys,
      tokenKeys: rows.tokenKeys,
    }),
    changedIds: [...new Set([...differing, ...idsOfUuids(changedUuids, namespaces)])],
  };
}

function refuseRewound(before: DirectoryImage, changes: Changes): void {
  if (changes.lineage !== before.lineage) {
    throw new DirectoryRewoundError('this is another directory database than before');
  }
  if (changes.revision < before.revision) {
    throw new DirectoryRewoundError(
      `the directory database is at revision ${changes.revision}, older than revision ${before.revision} that was read before`,
    );
  }
}

function applyRow(
  namespaces: Map<string, NamespaceRecord>,
  old: ReadonlyMap<string, NamespaceRecord>,
  row: NamespaceTable,
  log: Log,
): void {
  if (row.state === 'deleted') {
    // The tombstone of an earlier incarnation says nothing about the one that lives.
    if (namespaces.get(row.id)?.uuid === row.uuid) namespaces.delete(row.id);
    return;
  }
  try {
    const record = recordOfRow(row);
    const known = old.get(row.id);
    namespaces.set(row.id, known !== undefined && isSameRecord(known, record) ? known : record);
  } catch (error) {
    // Fail closed for this namespace alone: its old record may admit whom the new row does not.
    namespaces.delete(row.id);
    log.error('a namespace row cannot be read: the namespace is closed', { namespace: row.id, error });
  }
}

function idsThatDiffer(
  old: ReadonlyMap<string, NamespaceRecord>,
  now: ReadonlyMap<string, NamespaceRecord>,
  touched: readonly NamespaceTable[] | undefined,
): readonly string[] {
  const candidates = new Set(touched?.map((row) => row.id) ?? [...old.keys(), ...now.keys()]);
  return [...candidates].filter((id) => old.get(id) !== now.get(id));
}

/** Those whose namespace lives; of the others their end is told already. */
function idsOfUuids(
  uuids: ReadonlySet<string>,
  namespaces: ReadonlyMap<string, NamespaceRecord>,
): readonly string[] {
  if (uuids.size === 0) return [];
  return [...namespaces.values()].filter(({ uuid }) => uuids.has(uuid)).map(({ id }) => id);
}
