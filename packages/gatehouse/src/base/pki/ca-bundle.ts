import { createHash, type X509Certificate } from 'node:crypto';
import { type Refusal, refuse } from '#base/model/refusals';
import { type Certificate, readCertificate } from './certificate.ts';
import {
  breachOfForm,
  breachOfIssuer,
  breachOfValidity,
  isIssuedBy,
  isSelfSigned,
} from './certificate-rules.ts';
import { DerError } from './der.ts';
import { type PemBlock, readPem, writePem } from './pem.ts';

/** The CA certificates that the clients of one namespace must chain to. Frozen. */
export interface CaBundle {
  readonly certificates: readonly X509Certificate[];
  /** In canonical form: no comments, lines of 64 characters. Equal bundles in equal order are equal texts. */
  readonly pem: string;
  /** The bundle's version: SHA-256 over the sorted fingerprints of its certificates, whatever their order. */
  readonly fingerprint: string;
  /** The same certificates, decoded. */
  readonly authorities: readonly Certificate[];
  /** Fingerprints of those that are self-signed: a client's chain must end at one. */
  readonly roots: ReadonlySet<string>;
  /** Entries of a stored bundle that could not be read; they admit nobody. 0 for an accepted bundle. */
  readonly unreadable: number;
}

export interface CaBundleOptions {
  readonly nowMs: number;
  /** The namespace has certificate filters: only then may a public CA stand in its bundle. */
  readonly hasFilters: boolean;
  /** Of the well-known public roots, see `fingerprintsOfCertificates`. Without it none is known. */
  readonly publicRootFingerprints?: ReadonlySet<string>;
}

/** Temporal Cloud's limits: 16 certificates or 32 KB, whichever comes first. */
const CA_CERTIFICATES_MAX = 16;
const CA_BUNDLE_BYTES_MAX = 32 * 1024;

/**
 * Reads a bundle that somebody wants to store, by the rules of Temporal Cloud and T-014. Throws the refusal
 * `ca_bundle_invalid` with one sentence that names the entry, counted from 1, and never quotes it.
 */
export function parseCaBundle(pem: string, options: CaBundleOptions): CaBundle {
  const { blocks, trailing } = readPem(pem);
  refusePrivateKeys(pem, blocks);
  if (Buffer.byteLength(pem) > CA_BUNDLE_BYTES_MAX) throw invalid('the bundle is larger than 32 KB');
  if (blocks.length === 0) throw invalid('no CA certificate provided: expected -----BEGIN CERTIFICATE-----');
  if (blocks.length > CA_CERTIFICATES_MAX)
    throw invalid(`the bundle has ${blocks.length} entries; at most ${CA_CERTIFICATES_MAX} are accepted`);
  const certificates = blocks.map((block, index) => readEntry(block, index + 1));
  if (trailing !== '') throw invalid(`text that is not a certificate follows entry ${blocks.length}`);
  const bundle = assemble(certificates, 0);
  certificates.forEach((certificate, index) => {
    const fault = faultOfEntry(certificate, index, bundle, options);
    if (fault !== undefined) throw invalid(`certificate ${index + 1} ${fault}`);
  });
  refuseDangling(bundle);
  return bundle;
}

/**
 * Reads a bundle that was accepted once, for checking clients against it. No rule is asked: what has expired
 * since admits nobody, and an empty text is the bundle that admits nobody. Never throws.
 */
export function parseStoredCaBundle(pem: string): CaBundle {
  const { blocks } = readPem(pem);
  const certificates = blocks.map(({ label, der }) => (label === 'CERTIFICATE' ? tryParse(der) : undefined));
  const readable = certificates.filter((certificate) => certificate !== undefined);
  return assemble(readable, certificates.length - readable.length);
}

/**
 * SHA-256 fingerprints (lower-case hex) of PEM certificates, such as the runtime's list of public roots.
 * What cannot be read is left out.
 */
export function fingerprintsOfCertificates(pems: readonly string[]): ReadonlySet<string> {
  const ders = pems.flatMap((pem) => readPem(pem).blocks.map(({ der }) => der)).filter((der) => der !== null);
  return new Set(ders.map((der) => createHash('sha256').update(der).digest('hex')));
}

function assemble(authorities: readonly Certificate[], unreadable: number): CaBundle {
  const fingerprints = authorities.map(({ fingerprint }) => fingerprint);
  // A key of unjudged size is not used, not even to check its own signature.
  const roots = authorities.filter(
    (authority) => breachOfForm(authority) === undefined && isSelfSigned(authority),
  );
  return Object.freeze({
    certificates: authorities.map(({ x509 }) => x509),
    pem: authorities.map(({ der }) => writePem('CERTIFICATE', der)).join(''),
    fingerprint: createHash('sha256').update(fingerprints.toSorted().join('\n')).digest('hex'),
    authorities,
    roots: new Set(roots.map(({ fingerprint }) => fingerprint)),
    unreadable,
  });
}

/** First of all checks, so that no other message is ever about a text that holds a key. */
function refusePrivateKeys(pem: string, blocks: readonly PemBlock[]): void {
  const index = blocks.findIndex(({ label }) => /PRIVATE KEY/i.test(label));
  if (index !== -1)
    throw invalid(`private key refused: entry ${index + 1} is a private key; replace that key`);
  if (/PRIVATE KEY/i.test(pem))
    throw invalid('private key refused: the bundle mentions one; replace that key');
}

function readEntry({ label, der }: PemBlock, number: number): Certificate {
  if (label !== 'CERTIFICATE') throw invalid(`entry ${number} is not a CERTIFICATE block`);
  const certificate = tryParse(der);
  if (certificate === undefined)
    throw invalid(`certificate ${number} is not a well-formed X.509 certificate`);
  return certificate;
}

function faultOfEntry(
  certificate: Certificate,
  index: number,
  { authorities }: CaBundle,
  options: CaBundleOptions,
): string | undefined {
  const twin = authorities.findIndex(({ fingerprint }) => fingerprint === certificate.fingerprint);
  if (twin < index) return `is the same as certificate ${twin + 1}`;
  const breach = breachOfIssuer(certificate) ?? breachOfValidity(certificate, options.nowMs, true);
  // A CA that becomes valid later may be stored before: that is how a rotation is prepared.
  if (breach !== undefined && breach.fault !== 'issuer_not_yet_valid') return breach.text;
  if (options.hasFilters || options.publicRootFingerprints?.has(certificate.fingerprint) !== true)
    return undefined;
  return 'is a well-known public CA: anybody can get a certificate from it, so set certificate filters first';
}

/** Every entry must hang on a self-signed one of the same bundle: two that vouch for each other do not. */
function refuseDangling({ authorities, roots }: CaBundle): void {
  const anchored = new Set(authorities.filter(({ fingerprint }) => roots.has(fingerprint)));
  for (let grew = true; grew; ) {
    const before = anchored.size;
    for (const authority of authorities)
      if ([...anchored].some((issuer) => isNamedIssuer(authority, issuer) && isIssuedBy(authority, issuer)))
        anchored.add(authority);
    grew = anchored.size > before;
  }
  const dangling = authorities.findIndex((authority) => !anchored.has(authority));
  if (dangling !== -1)
    throw invalid(`certificate ${dangling + 1} is an intermediate whose issuer is not in the bundle`);
}

function isNamedIssuer(certificate: Certificate, issuer: Certificate): boolean {
  return certificate.issuer.key === issuer.subject.key;
}

function tryParse(der: Uint8Array | null): Certificate | undefined {
  const certificate = der === null ? undefined : readCertificate(der);
  return certificate instanceof DerError ? undefined : certificate;
}

function invalid(publicDetail: string): Refusal {
  return refuse('ca_bundle_invalid', { publicDetail });
}
