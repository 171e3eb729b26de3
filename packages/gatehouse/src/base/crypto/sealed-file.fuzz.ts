import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteSource } from '#testing/fuzz/byte-source';
import { changeByte } from '#testing/fuzz/tampering';
import { type Kms, UnwrapError } from './kms.ts';
import { readSealedFile, SealedFileError, writeSealedFile } from './sealed-file.ts';
import { Secret } from './secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-sealed-file-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'file');
const good = join(folder, 'good');
const content = Buffer.from('content');

/** Wraps by the words alone: enough to tell one file from another. */
const kms: Kms = {
  keyId: 'fixed',
  wrap: async (key, aad) => Buffer.concat([Buffer.from(`${aad}\n`), key.reveal()]),
  unwrap: async (wrapped, aad) => {
    const words = Buffer.from(`${aad}\n`);
    const key = Buffer.from(wrapped.subarray(words.length));
    if (!Buffer.from(wrapped.subarray(0, words.length)).equals(words) || key.length !== 32)
      throw new UnwrapError();
    return new Secret(key);
  },
  close: async () => undefined,
};

/** A file opens whole and as it was written, or is said to be damaged. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const source = new ByteSource(bytes);
  const isDamaged = source.flag();
  const [at, change] = [source.number(), source.byte()];
  if (!isDamaged) return await read(source.rest(), undefined);
  await writeSealedFile(good, kms, 'fuzz', content);
  const sealed = await readFile(good);
  const tampered = changeByte(Buffer.concat([sealed, source.rest()]), at, change);
  await read(tampered, tampered.equals(sealed) ? content : undefined);
}

async function read(bytes: Buffer, expected: Buffer | undefined): Promise<void> {
  writeFileSync(file, bytes);
  let found: Buffer | undefined;
  try {
    found = await readSealedFile(file, kms, 'fuzz');
  } catch (error) {
    if (!(error instanceof SealedFileError)) throw error;
  }
  if (expected === undefined ? found !== undefined : found?.equals(expected) !== true)
    throw new Error(`reads ${found?.toString('hex')}`);
}

export function seeds(): Uint8Array[] {
  const head = Buffer.from('GHSF\x01', 'latin1');
  return [
    Buffer.from([1, 0, 0, 0]),
    Buffer.from([1, 0, 9, 4, 65]),
    Buffer.concat([Buffer.alloc(4), head, Buffer.from('\x05\0\x03fixedabcbox')]),
  ];
}
