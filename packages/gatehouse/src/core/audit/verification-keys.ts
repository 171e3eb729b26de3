import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { type AuditSigningKey, auditKeyId } from './audit-signing-key.ts';

/** Public keys of a chain, by key id. The file beside the chain holds each key it was ever signed with. */
export type VerificationKeys = ReadonlyMap<string, KeyObject>;

const PUBLIC_KEY_FILE = 'signing-key.pem';

/** @throws where there is none, or one is not an Ed25519 public key. */
export function parseVerificationKeys(pem: string): VerificationKeys {
  const keys = new Map<string, KeyObject>();
  for (const block of pem.match(PEM_BLOCK) ?? []) {
    const key = createPublicKey(block);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('an audit public key is not an Ed25519 key');
    keys.set(auditKeyId(key), key);
  }
  if (keys.size === 0) throw new Error('no audit public key in PEM form was given');
  return keys;
}

const PEM_BLOCK = /-----BEGIN PUBLIC KEY-----[\sA-Za-z0-9+/=]+-----END PUBLIC KEY-----/g;

/** The text of `signing-key.pem`; empty where there is no such file. */
export async function readPublicKeyFile(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, PUBLIC_KEY_FILE), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

/** Adds the key to the file, where it is not there. Earlier keys stay: earlier checkpoints need them. */
export async function publishVerificationKey(folder: string, key: AuditSigningKey): Promise<void> {
  const published = await readPublicKeyFile(folder);
  if (published !== '' && parseVerificationKeys(published).has(key.keyId)) return;
  // Public: readable by whoever may enter the folder.
  await writeFileAtomic(join(folder, PUBLIC_KEY_FILE), published + key.publicKeyPem, 0o644);
}
