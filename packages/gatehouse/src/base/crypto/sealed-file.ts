import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { aadOf, openBox, sealBox } from './aead.ts';
import type { Kms } from './kms.ts';
import { Secret } from './secret.ts';

/** `GHSF` and the version of the layout: magic, key id (u8 length), wrapped data key (u16 length), box. */
const MAGIC = Buffer.from('GHSF\x01', 'latin1');

/** A sealed file that cannot be used. The message names the file, the problem and the fix. */
export class SealedFileError extends Error {
  constructor(path: string, problem: string) {
    super(`sealed file ${path} ${problem}`);
    this.name = 'SealedFileError';
  }
}

/**
 * Replaces a file whole with these bytes, sealed under a data key of its own that the KMS wraps. `purpose` is
 * bound to the content: a file copied over one of another purpose does not open there.
 */
export async function writeSealedFile(
  path: string,
  kms: Kms,
  purpose: string,
  bytes: Uint8Array,
): Promise<void> {
  const dataKey = new Secret(randomBytes(32));
  try {
    const wrapped = await kms.wrap(dataKey, wrapWords(purpose));
    const header = headerOf(kms.keyId, wrapped);
    const box = sealBox(keyOf(dataKey), contentAad(purpose, header), bytes);
    await writeFileAtomic(path, Buffer.concat([header, box]));
  } finally {
    dataKey.destroy();
  }
}

/**
 * The bytes of a sealed file; `undefined` where there is none.
 * @throws SealedFileError where it was cut, changed, or sealed for another purpose or by another key.
 */
export async function readSealedFile(path: string, kms: Kms, purpose: string): Promise<Buffer | undefined> {
  const file = await readFile(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  const envelope = parseEnvelope(file);
  if (envelope === undefined) throw new SealedFileError(path, 'is cut short or not a sealed file: delete it');
  if (envelope.keyId !== kms.keyId) {
    throw new SealedFileError(
      path,
      `was sealed by key ${envelope.keyId}, not by ${kms.keyId}: restore that key, or delete the file`,
    );
  }
  const dataKey = await kms.unwrap(envelope.wrapped, wrapWords(purpose)).catch(() => undefined);
  const content = dataKey && openBox(keyOf(dataKey), contentAad(purpose, envelope.header), envelope.box);
  dataKey?.destroy();
  if (content === undefined) {
    throw new SealedFileError(path, 'was changed after it was sealed, or sealed for another use: delete it');
  }
  return content;
}

interface Envelope {
  readonly header: Buffer;
  readonly keyId: string;
  readonly wrapped: Buffer;
  readonly box: Buffer;
}

function headerOf(keyId: string, wrapped: Buffer): Buffer {
  const id = Buffer.from(keyId, 'utf8');
  const lengths = Buffer.alloc(3);
  lengths.writeUInt8(id.length, 0);
  lengths.writeUInt16BE(wrapped.length, 1);
  return Buffer.concat([MAGIC, lengths, id, wrapped]);
}

function parseEnvelope(file: Buffer): Envelope | undefined {
  const fixed = MAGIC.length + 3;
  if (file.length < fixed || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const idEnd = fixed + file.readUInt8(MAGIC.length);
  const headerEnd = idEnd + file.readUInt16BE(MAGIC.length + 1);
  if (file.length < headerEnd) return undefined;
  return {
    header: file.subarray(0, headerEnd),
    keyId: file.toString('utf8', fixed, idEnd),
    wrapped: file.subarray(idEnd, headerEnd),
    box: file.subarray(headerEnd),
  };
}

function keyOf(secret: Secret): KeyObject {
  return createSecretKey(secret.reveal());
}

function wrapWords(purpose: string): string {
  return `sealed-file:${purpose}`;
}

function contentAad(purpose: string, header: Buffer): Buffer {
  return Buffer.concat([aadOf('gatehouse sealed file', purpose), header]);
}
