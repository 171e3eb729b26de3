import { contextTag, DerError, DerReader, type DerValue, tags } from './der.ts';
import { decodeBitOctets, decodeOid, decodeSmallInteger, decodeUnsigned } from './der-values.ts';

/** A public key as far as the rules ask: its kind and its strength. */
export type KeyKind =
  | { readonly kind: 'rsa'; readonly bits: number; readonly exponentIsSound: boolean }
  | { readonly kind: 'ec'; readonly curve: 'P-256' | 'P-384' | 'P-521' }
  | { readonly kind: 'other'; readonly oid: string };

/** How a certificate was signed. `hash` is what the rules judge. */
export interface SignatureKind {
  readonly family: 'rsa' | 'ecdsa' | 'other';
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512' | 'weak' | 'unknown';
}

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
const RSA_PSS = '1.2.840.113549.1.1.10';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const MGF1 = '1.2.840.113549.1.1.8';

const CURVES = new Map<string, 'P-256' | 'P-384' | 'P-521'>([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
]);

const HASHES = new Map<string, SignatureKind['hash']>([
  ['2.16.840.1.101.3.4.2.1', 'SHA-256'],
  ['2.16.840.1.101.3.4.2.2', 'SHA-384'],
  ['2.16.840.1.101.3.4.2.3', 'SHA-512'],
]);

const SIGNATURES = new Map<string, SignatureKind>([
  ['1.2.840.113549.1.1.11', { family: 'rsa', hash: 'SHA-256' }],
  ['1.2.840.113549.1.1.12', { family: 'rsa', hash: 'SHA-384' }],
  ['1.2.840.113549.1.1.13', { family: 'rsa', hash: 'SHA-512' }],
  ['1.2.840.10045.4.3.2', { family: 'ecdsa', hash: 'SHA-256' }],
  ['1.2.840.10045.4.3.3', { family: 'ecdsa', hash: 'SHA-384' }],
  ['1.2.840.10045.4.3.4', { family: 'ecdsa', hash: 'SHA-512' }],
  // MD2, MD5, SHA-1 with RSA, SHA-1 with ECDSA: named, so that the refusal can say what is wrong.
  ['1.2.840.113549.1.1.2', { family: 'rsa', hash: 'weak' }],
  ['1.2.840.113549.1.1.4', { family: 'rsa', hash: 'weak' }],
  ['1.2.840.113549.1.1.5', { family: 'rsa', hash: 'weak' }],
  ['1.2.840.10045.4.1', { family: 'ecdsa', hash: 'weak' }],
]);

/** Reads a signature's AlgorithmIdentifier. Throws DerError. */
export function decodeSignatureKind(algorithm: DerValue): SignatureKind {
  const reader = new DerReader(algorithm.content);
  const oid = decodeOid(reader.read(tags.oid));
  if (oid === RSA_PSS) return decodePss(reader);
  const kind = SIGNATURES.get(oid) ?? { family: 'other', hash: 'unknown' };
  // RSA has NULL parameters or none (RFC 4055 section 5), ECDSA none (RFC 5758 section 3.2).
  if (kind.family === 'rsa') reader.readOptional(tags.null);
  if (kind.family !== 'other') reader.finish();
  return kind;
}

/** Reads a SubjectPublicKeyInfo. A curve is known by its name only, never by parameters. Throws DerError. */
export function decodeKeyKind(info: DerValue): KeyKind {
  const reader = new DerReader(info.content);
  const algorithm = reader.enter(tags.sequence);
  const key = decodeBitOctets(reader.read(tags.bitString));
  reader.finish();
  const oid = decodeOid(algorithm.read(tags.oid));
  if (oid === RSA_ENCRYPTION) return decodeRsaKey(key);
  if (oid !== EC_PUBLIC_KEY) return { kind: 'other', oid };
  const parameters = algorithm.readAny();
  algorithm.finish();
  const curve = parameters.tag === tags.oid ? CURVES.get(decodeOid(parameters)) : undefined;
  // Explicit parameters can make a known public key match a chosen private one (CVE-2020-0601).
  return curve === undefined ? { kind: 'other', oid } : { kind: 'ec', curve };
}

function decodeRsaKey(key: Uint8Array): KeyKind {
  const reader = new DerReader(key);
  const fields = reader.enter(tags.sequence);
  reader.finish();
  const modulus = decodeUnsigned(fields.read(tags.integer));
  const exponent = decodeUnsigned(fields.read(tags.integer));
  fields.finish();
  const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
  const last = exponent.at(-1) ?? 0;
  // Odd, above 1 and within 32 bits: an exponent as long as the modulus is there to waste our time.
  const exponentIsSound = exponent.length <= 4 && last % 2 === 1 && !(exponent.length === 1 && last < 3);
  return { kind: 'rsa', bits, exponentIsSound };
}

/** RSASSA-PSS-params (RFC 4055 section 3.1): every absent field means SHA-1. */
function decodePss(reader: DerReader): SignatureKind {
  const parameters = reader.enter(tags.sequence);
  reader.finish();
  const hash = parameters.readOptional(contextTag(0, true));
  const maskGenerator = parameters.readOptional(contextTag(1, true));
  const saltLength = parameters.readOptional(contextTag(2, true));
  const trailer = parameters.readOptional(contextTag(3, true));
  parameters.finish();
  if (hash === undefined || maskGenerator === undefined) return { family: 'rsa', hash: 'weak' };
  const inner = new DerReader(maskGenerator.content).enter(tags.sequence);
  if (decodeOid(inner.read(tags.oid)) !== MGF1) throw new DerError('unknown mask generator');
  const hashes = [decodeHash(new DerReader(hash.content)), decodeHash(inner)];
  if (saltLength !== undefined) decodeSmallInteger(new DerReader(saltLength.content).read(tags.integer));
  const isSound = trailer === undefined && hashes[0] === hashes[1];
  return { family: 'rsa', hash: isSound ? (hashes[0] ?? 'unknown') : 'weak' };
}

function decodeHash(reader: DerReader): SignatureKind['hash'] {
  return HASHES.get(decodeOid(reader.enter(tags.sequence).read(tags.oid))) ?? 'weak';
}
