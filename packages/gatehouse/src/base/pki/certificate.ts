import { createHash, X509Certificate } from 'node:crypto';
import {
  decodeKeyKind,
  decodeSignatureKind,
  type KeyKind,
  type SignatureKind,
} from './certificate-algorithms.ts';
import { type CertificateExtensions, decodeExtensions, extensionsTag } from './certificate-extensions.ts';
import { contextTag, DerError, DerReader, readDer, tags } from './der.ts';
import { decodeBitOctets, decodeSmallInteger, decodeTime, decodeUnsigned } from './der-values.ts';
import { type DistinguishedName, decodeName } from './distinguished-name.ts';

/** One X.509 certificate, decoded strictly and once. Nothing about it has been judged yet. */
export interface Certificate {
  /** OpenSSL's view of the same bytes: for signatures and issuer matching only, never for names. */
  readonly x509: X509Certificate;
  readonly der: Uint8Array;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  readonly version: number;
  /** Lower-case hex, two digits per octet. */
  readonly serial: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly key: KeyKind;
  readonly signature: SignatureKind;
  readonly extensions: CertificateExtensions;
}

/** Larger ones are refused unread: real certificates are 0.5 to 4 kB. */
const CERTIFICATE_BYTES_MAX = 32 * 1024;

/**
 * Decodes a certificate (RFC 5280 section 4.1). Throws DerError on anything that is not strict DER of that
 * shape, trailing bytes included; whoever passes strangers' bytes catches that one type.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > CERTIFICATE_BYTES_MAX) throw new DerError('certificate is too large');
  // A copy: the caller may reuse its buffer, and our views must keep meaning what was checked.
  const bytes = Uint8Array.from(der);
  const outer = new DerReader(readDer(bytes, tags.sequence).content);
  const body = outer.read(tags.sequence);
  const algorithm = outer.read(tags.sequence);
  decodeBitOctets(outer.read(tags.bitString));
  outer.finish();
  const fields = decodeBody(body.content, algorithm.whole);
  return {
    ...fields,
    der: bytes,
    signature: decodeSignatureKind(algorithm),
    fingerprint: createHash('sha256').update(bytes).digest('hex'),
    x509: openX509(bytes),
  };
}

/** The same for callers to whom an unreadable certificate is an answer. Never throws. */
export function readCertificate(der: Uint8Array): Certificate | DerError {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof DerError) return error;
    throw error;
  }
}

type Body = Omit<Certificate, 'der' | 'signature' | 'fingerprint' | 'x509'>;

function decodeBody(content: Uint8Array, outerAlgorithm: Uint8Array): Body {
  const reader = new DerReader(content);
  const version = reader.readOptional(contextTag(0, true));
  const serial = decodeUnsigned(reader.read(tags.integer));
  // RFC 5280 section 4.1.2.2: at most 20 octets.
  if (serial.length > 20) throw new DerError('serial number is too long');
  const algorithm = reader.read(tags.sequence).whole;
  if (!Buffer.from(algorithm).equals(outerAlgorithm)) throw new DerError('signature algorithms differ');
  const issuer = decodeName(reader.read(tags.sequence));
  const validity = reader.enter(tags.sequence);
  const notBeforeMs = decodeTime(validity.readAny());
  const notAfterMs = decodeTime(validity.readAny());
  validity.finish();
  const subject = decodeName(reader.read(tags.sequence));
  const key = decodeKeyKind(reader.read(tags.sequence));
  // issuerUniqueID and subjectUniqueID: obsolete since 1996, decide nothing.
  reader.readOptional(contextTag(1, false));
  reader.readOptional(contextTag(2, false));
  const extensions = reader.readOptional(extensionsTag);
  reader.finish();
  return {
    version: version === undefined ? 1 : decodeVersion(version.content),
    serial: Buffer.from(serial).toString('hex'),
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    key,
    extensions: extensions === undefined ? { criticalUnknown: [] } : decodeExtensions(extensions.content),
  };
}

function decodeVersion(content: Uint8Array): number {
  return decodeSmallInteger(readDer(content, tags.integer)) + 1;
}

function openX509(der: Uint8Array): X509Certificate {
  try {
    const x509 = new X509Certificate(der);
    // Same bytes in, same bytes out: what OpenSSL verifies is what was decoded above.
    if (Buffer.compare(x509.raw, der) !== 0) throw new DerError('OpenSSL reads other bytes');
    return x509;
  } catch (error) {
    if (error instanceof DerError) throw error;
    throw new DerError('OpenSSL cannot read the certificate', { cause: error });
  }
}
