import { randomInt } from 'node:crypto';
import { type Refusal, refuse } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import { formatDuration } from './duration.ts';
import {
  type GeneratedCertificate,
  generateKeys,
  issueCertificate,
  openSigner,
  type Signer,
  type SubjectAttributes,
} from './issue-certificate.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from './x509-library.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** tcld's limits for a CA that customers make for themselves; the lower one is exclusive. */
const CA_VALIDITY_MIN_MS = 7 * DAY_MS;
const CA_VALIDITY_MAX_MS = 365 * DAY_MS;

/** Certificates begin this much in the past, so that a machine whose clock is late accepts them (tcld). */
const GRACE_MS = 60_000;

export interface CaRequest {
  readonly organization: string;
  /** More than 7 and at most 365 days. */
  readonly validityMs: number;
  /** RSA 4096 instead of ECDSA P-384. */
  readonly rsa?: boolean;
  readonly nowMs: number;
}

/**
 * A customer's own CA, as `tcld gen ca` makes it: subject O only, SAN `client.root.<org>.<4 random>`.
 * Throws the refusal `input_invalid` with tcld's texts.
 */
export async function generateCa(request: CaRequest): Promise<GeneratedCertificate> {
  const { organization, validityMs, nowMs } = request;
  if (validityMs > CA_VALIDITY_MAX_MS)
    throw invalid(`validity-period cannot be more than: ${formatDuration(CA_VALIDITY_MAX_MS)}`);
  if (validityMs <= CA_VALIDITY_MIN_MS)
    throw invalid(`validity-period cannot be less than: ${formatDuration(CA_VALIDITY_MIN_MS)}`);
  requireOrganization(organization);
  const keys = await generateKeys(request.rsa === true ? 'RSA-4096' : 'P-384');
  const { digitalSignature, cRLSign, keyCertSign, keyEncipherment } = KeyUsageFlags;
  // keyEncipherment belongs to RSA alone: it is about TLS's RSA key exchange.
  const usages = digitalSignature | cRLSign | keyCertSign | (request.rsa === true ? keyEncipherment : 0);
  return await issueCertificate({
    subject: [['O', organization]],
    keys,
    extensions: [
      new KeyUsagesExtension(usages, true),
      new BasicConstraintsExtension(true, undefined, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      dnsNamesExtension([`client.root.${organization}.${randomLetters()}`]),
    ],
    notBeforeMs: nowMs - GRACE_MS,
    notAfterMs: nowMs + validityMs,
  });
}

export interface LeafRequest {
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly organization: string;
  readonly organizationalUnit?: string;
  readonly commonName?: string;
  /** Default: until 24 hours before the CA expires. */
  readonly validityMs?: number;
  readonly nowMs: number;
}

/**
 * A client certificate of a customer's CA, as `tcld gen leaf` makes it: a key of the CA's kind, no usages, SAN
 * `client.endentity.<org>.<4 random>`. Throws the refusal `input_invalid` with tcld's texts.
 */
export async function generateLeaf(request: LeafRequest): Promise<GeneratedCertificate> {
  const { organization, organizationalUnit = '', commonName = '', nowMs } = request;
  requireOrganization(organization);
  const signer = await openSigner(request.caPem, request.caKeyPem);
  const notAfterMs = leafExpiry(signer, request);
  // Without a unit the attribute is there and empty: it keeps the leaf's name different from its CA's.
  const subject: SubjectAttributes = [
    ['O', organization],
    ['OU', organizationalUnit],
    ...(commonName === '' ? [] : [['CN', commonName] as const]),
  ];
  return await issueCertificate({
    subject,
    keys: await generateKeys(signer.leafKeyKind),
    signer,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      ...authorityKeyId(signer),
      dnsNamesExtension([`client.endentity.${organization}.${randomLetters()}`]),
    ],
    notBeforeMs: nowMs - GRACE_MS,
    notAfterMs,
  });
}

export interface InternalCaRequest {
  readonly commonName: string;
  readonly validityMs: number;
  readonly nowMs?: number;
}

/** A CA of our own for services on one platform: ECDSA P-256, signs leaves only (path length 0). */
export async function generateInternalCa(request: InternalCaRequest): Promise<GeneratedCertificate> {
  const nowMs = request.nowMs ?? systemClock.now();
  const keys = await generateKeys('P-256');
  return await issueCertificate({
    subject: [['CN', request.commonName]],
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
    notBeforeMs: nowMs - GRACE_MS,
    notAfterMs: nowMs + request.validityMs,
  });
}

export interface ServiceCertificateRequest {
  readonly ca: GeneratedCertificate;
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  /** Cut where the CA expires before. */
  readonly validityMs: number;
  readonly nowMs: number;
}

/** A certificate for one of our own services (ECDSA P-256), signed by a CA of our own. */
export async function generateServiceCertificate(
  request: ServiceCertificateRequest,
): Promise<GeneratedCertificate> {
  const { dnsNames, ipAddresses = [], nowMs } = request;
  const signer = await openSigner(request.ca.certificatePem, request.ca.privateKeyPem);
  const names = dnsNames.length + ipAddresses.length === 0 ? [] : [dnsNamesExtension(dnsNames, ipAddresses)];
  return await issueCertificate({
    subject: [['CN', request.commonName]],
    keys: await generateKeys('P-256'),
    signer,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(request.usages.map((usage) => ExtendedKeyUsage[usage])),
      ...authorityKeyId(signer),
      ...names,
    ],
    notBeforeMs: nowMs - GRACE_MS,
    notAfterMs: Math.min(nowMs + request.validityMs, signer.notAfterMs),
  });
}

function leafExpiry(signer: Signer, { validityMs, nowMs }: LeafRequest): number {
  if (validityMs === undefined) {
    const notAfterMs = signer.notAfterMs - DAY_MS;
    if (notAfterMs <= nowMs)
      throw invalid('the certificate authority expires within 24 hours: give a validity-period');
    return notAfterMs;
  }
  if (validityMs <= 0) throw invalid('validity-period must be more than 0');
  const excessMs = nowMs + validityMs - signer.notAfterMs;
  if (excessMs > 0)
    throw invalid(
      `validity period of ${formatDuration(validityMs)} puts certificate's expiry after certificate authority's ` +
        `expiry ${new Date(signer.notAfterMs).toISOString()} by ${formatDuration(excessMs)}`,
    );
  return nowMs + validityMs;
}

/** The organization becomes part of a DNS name in the certificate, which holds ASCII only. */
function requireOrganization(organization: string): void {
  if (organization === '') throw invalid('organization is required');
  if (!/^[\x20-\x7e]{1,64}$/.test(organization))
    throw invalid('organization must be 1 to 64 printable ASCII characters');
}

function dnsNamesExtension(dnsNames: readonly string[], ipAddresses: readonly string[] = []): Extension {
  const names: JsonGeneralNames = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  return new SubjectAlternativeNameExtension(names);
}

function authorityKeyId({ keyId }: Signer): Extension[] {
  return keyId === undefined ? [] : [new AuthorityKeyIdentifierExtension(keyId)];
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-';

function randomLetters(): string {
  return Array.from({ length: 4 }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('');
}

function invalid(publicDetail: string): Refusal {
  return refuse('input_invalid', { publicDetail });
}
