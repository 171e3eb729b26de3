import { createPublicKey, X509Certificate } from 'node:crypto';
import type { CertificateFilter } from '#base/model/certificate-filter';
import { CHAIN_NOW_MS, INTERMEDIATE_PEM, LEAF_PEM, ROOT_PEM } from '#testing/fuzz/fixed-certificates';
import { parseStoredCaBundle } from './ca-bundle.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { verifyClientCertificate } from './client-certificate.ts';
import { DerError } from './der.ts';
import { formatName } from './distinguished-name.ts';
import { readPem } from './pem.ts';

const CERTIFICATES_MAX = 12;
const bundle = parseStoredCaBundle(ROOT_PEM);
const [intermediate = Buffer.alloc(0), leaf = Buffer.alloc(0)] = [INTERMEDIATE_PEM, LEAF_PEM].map(derOf);
const intermediateKey = createPublicKey(INTERMEDIATE_PEM);
const filters: readonly CertificateFilter[] = [
  { organization: 'ACME', subjectAlternativeName: '*.acme.test' },
  { commonName: 'worker*' },
];

/** A stranger's chain of certificates: a verdict in any case, and admitted are those alone whose signatures hold. */
export function fuzz(bytes: Buffer): void {
  const flags = bytes[0] ?? 0;
  const chain = chainOf(bytes.subarray(1));
  for (const der of chain) compareWithOpenssl(der);
  const presented = (flags & 1) === 1 ? [...chain, intermediate] : chain;
  const verdict = verifyClientCertificate(presented, bundle, (flags & 2) === 2 ? filters : [], CHAIN_NOW_MS);
  if (!verdict.admitted) {
    if (!/^[ -~]{1,4000}$/.test(verdict.detail))
      throw new Error(`a detail that is not one line: ${verdict.detail}`);
    return;
  }
  const [first] = presented;
  if (first === undefined || !new X509Certificate(first).verify(intermediateKey))
    throw new Error('a certificate is admitted that the CA never signed');
}

/** Each with its length before it, in two bytes. */
function chainOf(bytes: Buffer): Buffer[] {
  const chain: Buffer[] = [];
  for (let at = 0; at + 2 <= bytes.length && chain.length < CERTIFICATES_MAX; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    chain.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return chain;
}

/** Where both read it, both read the same. */
function compareWithOpenssl(der: Buffer): void {
  const read = readCertificate(der);
  if (read instanceof DerError) {
    if (!/^[ -~]+$/.test(read.message)) throw new Error(`a message that quotes: ${read.message}`);
    return;
  }
  if (/[^ -~]/.test(formatName(read.subject) + formatName(read.issuer)))
    throw new Error('a name on two lines');
  const serial = BigInt(`0x${read.serial}`) === BigInt(`0x${read.x509.serialNumber}`);
  const times =
    isSameTime(read.x509.validFrom, read.notBeforeMs) && isSameTime(read.x509.validTo, read.notAfterMs);
  if (!serial || !times || !isSameCa(read)) throw new Error('OpenSSL reads another certificate');
}

function isSameTime(text: string, ms: number): boolean {
  return Number.isNaN(Date.parse(text)) || Date.parse(text) === ms;
}

/** OpenSSL judges more than the one bit, and takes a certificate of version 1 for a CA. */
function isSameCa({ x509, version, extensions }: Certificate): boolean {
  const { basicConstraints, keyUsage, criticalUnknown } = extensions;
  const isPlain = version === 3 && keyUsage === undefined && criticalUnknown.length === 0;
  if (!isPlain || basicConstraints === undefined || basicConstraints.pathLength !== undefined) return true;
  return x509.ca === basicConstraints.ca;
}

function derOf(pem: string): Buffer {
  return readPem(pem).blocks[0]?.der ?? Buffer.alloc(0);
}

function withLength(der: Buffer): Buffer {
  return Buffer.concat([Buffer.from([der.length >> 8, der.length & 0xff]), der]);
}

export function* seeds(): Generator<Uint8Array> {
  for (const flags of [0, 1, 3])
    for (const chain of [[leaf], [leaf, intermediate], [intermediate], [leaf, derOf(ROOT_PEM)]])
      yield Buffer.concat([Buffer.of(flags), ...chain.map(withLength)]);
}
