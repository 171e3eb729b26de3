// No test itself: reads the Wycheproof vectors of signatures, and puts signatures into certificates.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DerReader, readDer, tags } from './der.ts';

export interface SignatureVector {
  /** File and number of the test. */
  readonly name: string;
  readonly flags: string;
  readonly message: Buffer;
  readonly signature: Buffer;
  readonly verdict: 'valid' | 'invalid' | 'acceptable';
}

export interface VectorGroup {
  readonly file: string;
  /** SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512';
  /** Of PSS only. */
  readonly saltBytes: number;
  readonly vectors: readonly SignatureVector[];
}

/** The groups of `testing-vectors/<name>.txt`, each of one key. */
export function readVectorGroups(name: string): VectorGroup[] {
  const groups: (VectorGroup & { readonly vectors: SignatureVector[] })[] = [];
  const text = readFileSync(new URL(`./testing-vectors/${name}.txt`, import.meta.url), 'utf8');
  for (const line of text.split('\n')) {
    const [kind, ...fields] = line.split(' ');
    if (kind === 'key') {
      const [file = '', spki = '', hash, saltBytes = ''] = fields;
      assert.ok(hash === 'SHA-256' || hash === 'SHA-384' || hash === 'SHA-512');
      groups.push({ file, spki: Buffer.from(spki, 'hex'), hash, saltBytes: Number(saltBytes), vectors: [] });
    } else if (kind === 'sig') {
      const [test = '', flags = '', message = '', signature = '', verdict] = fields;
      assert.ok(verdict === 'valid' || verdict === 'invalid' || verdict === 'acceptable');
      const group = groups.at(-1);
      group?.vectors.push({
        name: `${group.file} ${test}`,
        flags,
        message: Buffer.from(message, 'hex'),
        signature: Buffer.from(signature, 'hex'),
        verdict,
      });
    }
  }
  return groups;
}

/** One DER value of up to 64 kB. */
export function derOf(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

/** What a certificate's signature covers, and the signature. */
export function openSigned(certificate: Uint8Array): { readonly signed: Buffer; readonly signature: Buffer } {
  const outer = new DerReader(readDer(certificate, tags.sequence).content);
  const signed = Buffer.from(outer.read(tags.sequence).whole);
  outer.read(tags.sequence);
  return { signed, signature: Buffer.from(outer.read(tags.bitString).content.subarray(1)) };
}

/** The same certificate with another signature. */
export function withSignature(certificate: Uint8Array, signature: Uint8Array): Buffer {
  const outer = new DerReader(readDer(certificate, tags.sequence).content);
  const [signed, algorithm] = [outer.read(tags.sequence).whole, outer.read(tags.sequence).whole];
  return derOf(tags.sequence, signed, algorithm, derOf(tags.bitString, Buffer.of(0), signature));
}
