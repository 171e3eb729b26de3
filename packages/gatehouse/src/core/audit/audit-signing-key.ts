import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { dirname } from 'node:path';
import type { Kms } from '#base/crypto/kms';
import { readSealedFile, writeSealedFile } from '#base/crypto/sealed-file';
import { makePrivateFolder } from '#base/runtime/safe-file';

/** The key that signs checkpoints. Its private half never leaves this file's closures but wrapped. */
export interface AuditSigningKey {
  /** First 32 hex digits of the SHA-256 of the public key (SubjectPublicKeyInfo, DER). */
  readonly keyId: string;
  readonly publicKeyPem: string;
  /** Ed25519 (RFC 8032), about 50 µs. */
  sign(message: Uint8Array): Buffer;
}

// Binds the sealed bytes to their purpose: another sealed file put in this place does not open.
const PURPOSE = 'audit signing key 1';

/**
 * Opens the sealed key at `path`, or makes one there (0600, in a 0700 folder) at the first start.
 * @throws SealedFileError where the file is there but does not open: a new key in its place would hide the loss.
 */
export async function openAuditSigningKey(path: string, kms: Kms): Promise<AuditSigningKey> {
  const sealed = await readSealedFile(path, kms, PURPOSE);
  if (sealed === undefined) return await createSealed(path, kms);
  try {
    return signingKey(createPrivateKey({ key: sealed, format: 'der', type: 'pkcs8' }));
  } finally {
    sealed.fill(0);
  }
}

/** A key that lives in memory only: for tests and for a chain whose signer is elsewhere. */
export function createAuditSigningKey(): AuditSigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey);
}

/** The id of a public key, as checkpoints name it. */
export function auditKeyId(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex')
    .slice(0, 32);
}

async function createSealed(path: string, kms: Kms): Promise<AuditSigningKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const plain = privateKey.export({ format: 'der', type: 'pkcs8' });
  await makePrivateFolder(dirname(path));
  await writeSealedFile(path, kms, PURPOSE, plain);
  plain.fill(0);
  return signingKey(privateKey);
}

function signingKey(privateKey: KeyObject): AuditSigningKey {
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw new Error('the audit signing key is not an Ed25519 key');
  const publicKey = createPublicKey(privateKey);
  return {
    keyId: auditKeyId(publicKey),
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    sign: (message) => sign(null, message, privateKey),
  };
}
