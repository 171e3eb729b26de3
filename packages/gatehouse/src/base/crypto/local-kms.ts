import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '#base/runtime/safe-file';
import { aadOf, openBox, sealBox } from './aead.ts';
import { type Kms, UnwrapError } from './kms.ts';
import { Secret } from './secret.ts';

/** AES-256. */
const KEY_BYTES = 32;

/**
 * The KMS of a single machine: one 32-byte key in a file of mode 0600, made on first use. Two processes that
 * start at once end up with the same key.
 * @throws Error that names the file, the problem and the fix where the file is unfit (T-100).
 */
export async function openLocalKms(keyFilePath: string): Promise<Kms> {
  const bytes = (await readKeyFile(keyFilePath)) ?? (await createKeyFile(keyFilePath));
  const key = createSecretKey(bytes);
  const keyId = keyIdOf(bytes);
  bytes.fill(0);
  return keyedKms(key, keyId);
}

function keyedKms(key: KeyObject, keyId: string): Kms {
  const bind = (aad: string): Buffer => aadOf('gatehouse local kms', keyId, aad);
  return {
    keyId,
    async wrap(plaintext, aad) {
      return sealBox(key, bind(aad), plaintext.reveal());
    },
    async unwrap(wrapped, aad) {
      const plaintext = openBox(key, bind(aad), wrapped);
      if (plaintext === undefined) throw new UnwrapError();
      const secret = new Secret(plaintext);
      plaintext.fill(0);
      return secret;
    },
    close: () => Promise.resolve(),
  };
}

/** Tells keys apart without telling anything of them: 64 bits of a keyed hash. */
function keyIdOf(bytes: Uint8Array): string {
  const digest = createHmac('sha256', bytes).update('gatehouse local kms key id').digest('hex');
  return `local:${digest.slice(0, 16)}`;
}

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw new Error(`key file ${path} cannot be read: give this user read access`, { cause: error });
  });
  if (file === undefined) return undefined;
  try {
    // Asked of the open file, so that it cannot be exchanged between the question and the read.
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new Error(`key file ${path} is open to group or others (mode ${shown}): run chmod 600 ${path}`);
    }
    if (size !== KEY_BYTES) {
      throw new Error(
        `key file ${path} has ${size} bytes, not ${KEY_BYTES}: restore it from its backup; without it what it wrapped stays closed`,
      );
    }
    const bytes = Buffer.alloc(KEY_BYTES);
    const { bytesRead } = await file.read(bytes, 0, KEY_BYTES, 0);
    if (bytesRead !== KEY_BYTES) throw new Error(`key file ${path} changed while it was read: start again`);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Written whole under another name and then linked: the first link wins, the others read the winner's key. */
async function createKeyFile(path: string): Promise<Buffer> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const bytes = randomBytes(KEY_BYTES);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      bytes.fill(0);
      await file.close();
    }
    await link(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const winner = await readKeyFile(path);
  if (winner === undefined) throw new Error(`key file ${path} vanished while it was made: start again`);
  return winner;
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
