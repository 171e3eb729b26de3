import type { Kms } from '#base/crypto/kms';
import { readSealedFile, writeSealedFile } from '#base/crypto/sealed-file';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { freezeKeys, type KeysByNamespace } from './apply-keys.ts';
import type { TokenKeyRow } from './database/schema.ts';
import type { WrappedNamespaceKey } from './directory.ts';
import type { DirectoryImage } from './directory-image.ts';
import { freezeRecord } from './namespace-row.ts';

const PURPOSE = 'directory-copy';
const STAMP_PURPOSE = 'directory-copy-stamp';
/** Another layout gets another number; a copy of another number is not read. */
const FORMAT = 3;
/** As 3, without limits: a platform that was upgraded starts without its database too. */
const FORMAT_WITHOUT_LIMITS = 2;

/** The local copy of the directory, for a start without the database (F-05). */
export interface SealedCopy {
  readonly image: DirectoryImage;
  /** When the database last confirmed it (Unix ms). */
  readonly confirmedAtMs: number;
}

interface CopyFile {
  readonly format: number;
  readonly lineage: string;
  readonly revision: number;
  readonly confirmedAtMs: number;
  readonly namespaces: readonly NamespaceRecord[];
  readonly namespaceKeys: readonly WrappedNamespaceKey[];
  readonly tokenKeys: readonly TokenKeyRow[];
}

type StampFile = Pick<CopyFile, 'format' | 'lineage' | 'revision' | 'confirmedAtMs'>;

/** The copy; `undefined` where there is none. @throws Error that says why it cannot be used. */
export async function readSealedCopy(path: string, kms: Kms): Promise<SealedCopy | undefined> {
  const bytes = await readSealedFile(path, kms, PURPOSE);
  if (bytes === undefined) return undefined;
  // Authenticated by its seal: it is what this code wrote, up to the format.
  const file = JSON.parse(bytes.toString('utf8')) as CopyFile;
  if (file.format !== FORMAT && file.format !== FORMAT_WITHOUT_LIMITS)
    throw new Error(`sealed file ${path} is of another version of Gatehouse`);
  const stampedAtMs = await readStamp(path, kms, file);
  return {
    confirmedAtMs: Math.max(file.confirmedAtMs, stampedAtMs),
    image: Object.freeze({
      lineage: file.lineage,
      revision: file.revision,
      namespaces: new Map(
        file.namespaces.map((record) => [
          record.id,
          freezeRecord({ ...record, limits: record.limits ?? {} }),
        ]),
      ),
      namespaceKeys: keysByNamespace(file.namespaceKeys),
      tokenKeys: file.tokenKeys,
    }),
  };
}

export async function writeSealedCopy(path: string, kms: Kms, copy: SealedCopy): Promise<void> {
  const file: CopyFile = {
    ...stampOf(copy),
    namespaces: [...copy.image.namespaces.values()],
    namespaceKeys: [...copy.image.namespaceKeys.values()].flat(),
    tokenKeys: copy.image.tokenKeys,
  };
  await writeSealedFile(path, kms, PURPOSE, Buffer.from(JSON.stringify(file), 'utf8'));
}

/** Each list is in order already. */
function keysByNamespace(keys: readonly WrappedNamespaceKey[]): KeysByNamespace {
  const lists = new Map<string, WrappedNamespaceKey[]>();
  for (const key of keys) {
    const list = lists.get(key.namespaceUuid);
    if (list === undefined) lists.set(key.namespaceUuid, [key]);
    else list.push(key);
  }
  return new Map([...lists].map(([uuid, list]) => [uuid, freezeKeys(list)]));
}

/** Says anew when the copy was confirmed, in a file of its own: the copy of a large directory is not rewritten. */
export async function writeSealedStamp(path: string, kms: Kms, copy: SealedCopy): Promise<void> {
  await writeSealedFile(stampPath(path), kms, STAMP_PURPOSE, Buffer.from(JSON.stringify(stampOf(copy))));
}

/** The time of a stamp that belongs to this copy; otherwise a time before any. */
async function readStamp(path: string, kms: Kms, file: CopyFile): Promise<number> {
  // A stamp that cannot be read only makes the copy look older: the safe direction.
  const bytes = await readSealedFile(stampPath(path), kms, STAMP_PURPOSE).catch(() => undefined);
  if (bytes === undefined) return 0;
  const stamp = JSON.parse(bytes.toString('utf8')) as StampFile;
  const belongs =
    stamp.format === file.format && stamp.lineage === file.lineage && stamp.revision === file.revision;
  return belongs ? stamp.confirmedAtMs : 0;
}

function stampOf({ image, confirmedAtMs }: SealedCopy): StampFile {
  return { format: FORMAT, lineage: image.lineage, revision: image.revision, confirmedAtMs };
}

function stampPath(path: string): string {
  return `${path}.stamp`;
}
