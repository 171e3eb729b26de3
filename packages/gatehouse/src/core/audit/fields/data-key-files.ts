import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kms } from '#base/crypto/kms';
import { readSealedFile, writeSealedFile } from '#base/crypto/sealed-file';
import { makePrivateFolder, syncFolder, writeFileAtomic } from '#base/runtime/safe-file';
import { type AuditPeriod, PERIOD_PATTERN } from './audit-period.ts';

/**
 * Data keys on disk: `<period>-<id>.sealed`, one sealed file each. Destroying one leaves `<period>-<id>.erased`
 * in its place, so that its loss is known to be meant, and a backup that is put over the folder does not bring
 * it back to use. Names hold the id, so that no file is ever written over.
 */
export interface DataKeyFile {
  readonly id: string;
  readonly period: AuditPeriod;
  /** `erasing`: its destruction is not finished, or a backup brought it back. It must not be used. */
  readonly state: 'there' | 'erasing' | 'erased';
}

const KEY_BYTES = 32;
const FILE_NAME = new RegExp(`^(${PERIOD_PATTERN})-([0-9a-f]{16})\\.(sealed|erased)$`);

/** Oldest period first. None where the folder is not there. */
export async function listDataKeys(folder: string): Promise<readonly DataKeyFile[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const files = new Map<string, DataKeyFile>();
  for (const name of names.sort()) {
    const [, period, id, suffix] = FILE_NAME.exec(name) ?? [];
    if (period === undefined || id === undefined) continue;
    // `.erased` sorts before `.sealed`.
    const state = suffix === 'erased' ? 'erased' : files.has(id) ? 'erasing' : 'there';
    files.set(id, { id, period, state });
  }
  return [...files.values()];
}

/** @throws SealedFileError where the file does not open. Undefined where it is gone. */
export async function readDataKey(
  folder: string,
  file: DataKeyFile,
  kms: Kms,
): Promise<KeyObject | undefined> {
  const bytes = await readSealedFile(sealedPath(folder, file), kms, purposeOf(file));
  if (bytes === undefined) return undefined;
  try {
    if (bytes.length !== KEY_BYTES) throw new Error(`audit data key ${file.id} has not ${KEY_BYTES} bytes`);
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Makes a new key for a period, on disk when it returns. */
export async function makeDataKey(
  folder: string,
  period: AuditPeriod,
  kms: Kms,
): Promise<{ readonly id: string; readonly key: KeyObject }> {
  await makePrivateFolder(folder);
  const id = randomBytes(8).toString('hex');
  const bytes = randomBytes(KEY_BYTES);
  try {
    await writeSealedFile(sealedPath(folder, { id, period }), kms, purposeOf({ id, period }), bytes);
    return { id, key: createSecretKey(bytes) };
  } finally {
    bytes.fill(0);
  }
}

/** Destroys a key. May be done again after it failed half-way. */
export async function eraseDataKey(folder: string, file: DataKeyFile): Promise<void> {
  // First what says so: a crash between the two leaves it to be finished, not a loss that nobody meant.
  if (file.state === 'there') await writeFileAtomic(join(folder, `${file.period}-${file.id}.erased`), '');
  await unlink(sealedPath(folder, file)).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
  await syncFolder(folder);
}

function sealedPath(folder: string, { id, period }: Pick<DataKeyFile, 'id' | 'period'>): string {
  return join(folder, `${period}-${id}.sealed`);
}

// Binds the sealed bytes to their name: a file renamed to another period or id does not open.
function purposeOf({ id, period }: Pick<DataKeyFile, 'id' | 'period'>): string {
  return `audit data key 1 ${period} ${id}`;
}
