import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { CodecError } from './codec-error.ts';
import type { CodecKey, KeyProvider } from './codec-keys.ts';
import { decodeKey, parseKeyLines } from './key-lines.ts';

/** Of lines of `<id> <base64 of 32 bytes> [decrypt-only]`, oldest first. */
export function keysFromText(text: string): KeyProvider {
  return async () => readKeys(text);
}

export interface KeyFileOptions {
  /** Also take a file that its group may read, as Kubernetes mounts secrets for a process that is not root. */
  readonly groupMayRead?: boolean;
}

/** Of a file of such lines, which nobody but its owner may read. Read anew at every reload. */
export function keysFromFile(path: string, options: KeyFileOptions = {}): KeyProvider {
  return async () => {
    const file = await open(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
      throw new CodecError(
        'bad_keys',
        `the key file ${path} cannot be read (${error.code ?? 'no reason given'})`,
      );
    });
    try {
      await checkMode(file, path, options.groupMayRead === true);
      return readKeys(await file.readFile('utf8'));
    } finally {
      await file.close();
    }
  };
}

/** Of an environment variable of such lines; `;` may stand for a line break. */
export function keysFromEnvironment(variable: string): KeyProvider {
  return async () => {
    // biome-ignore lint/style/noProcessEnv: the caller names the one variable that is read.
    const text = process.env[variable];
    if (text === undefined || text === '')
      throw new CodecError('bad_keys', `the environment variable ${variable} holds no keys`);
    return readKeys(text);
  };
}

/** Asks a KMS for the key that it once wrapped. What it throws must hold no key. */
export type UnwrapKey = (wrapped: string, keyId: string) => Promise<Uint8Array>;

/**
 * Envelope keys: lines of `<id> <wrapped key> [decrypt-only]`, where the second word is whatever your KMS gave for
 * the key (`vault:v1:…`, base64 of a CiphertextBlob) and `unwrap` asks it for the bytes. Only at the start and at
 * reloads: a payload costs no call.
 */
export function wrappedKeys(source: { text: string } | { path: string }, unwrap: UnwrapKey): KeyProvider {
  return async () => {
    const text = 'text' in source ? source.text : await readFile(source.path, 'utf8');
    return await Promise.all(
      parseKeyLines(text).map(async ({ id, word, decryptOnly }) => ({
        id,
        key: await unwrap(word, id),
        decryptOnly,
      })),
    );
  };
}

function readKeys(text: string): CodecKey[] {
  return parseKeyLines(text).map((line) => ({
    id: line.id,
    key: decodeKey(line),
    decryptOnly: line.decryptOnly,
  }));
}

/** Asked of the open file, so that it cannot be exchanged in between. */
async function checkMode(file: FileHandle, path: string, groupMayRead: boolean): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await file.stat();
  const others = groupMayRead ? 0o037 : 0o077;
  if ((mode & others) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  throw new CodecError('bad_keys', `others may read the key file ${path} (mode ${octal}): chmod 600 ${path}`);
}
