import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { CertificateFilter } from '#base/model/certificate-filter';
import { Refusal } from '#base/model/refusals';
import { type CaBundle, parseCaBundle, parseStoredCaBundle } from '#base/pki/ca-bundle';
import { type Certificate, readCertificate } from '#base/pki/certificate';
import { describeCertificateFault } from '#base/pki/certificate-fault';
import { verifyClientCertificate } from '#base/pki/client-certificate';
import { DerError } from '#base/pki/der';
import { formatName } from '#base/pki/distinguished-name';
import { type PemBlock, readPem } from '#base/pki/pem';

export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly text: string;
  /** What mends it, as a sentence. */
  readonly cure?: string;
}

export interface CertificateQuestion {
  /** What the client would present: its certificate, then intermediates. */
  readonly certificatePem: string;
  readonly keyPem?: string;
  readonly caBundlePem: string;
  readonly filters?: readonly CertificateFilter[];
  readonly nowMs: number;
}

const DAY_MS = 24 * 3_600_000;

/** Temporal Cloud first warns of an expiring certificate 15 days before. */
const EXPIRY_WARNING_MS = 15 * DAY_MS;

/**
 * Tells whether a client with this certificate would be admitted to a namespace with this bundle and these
 * filters, by the very check that the gateway makes, and if not, why and what mends it. Never throws, never
 * quotes a key.
 */
export function diagnoseCertificate(question: CertificateQuestion): Finding[] {
  const blocks = readPem(question.certificatePem).blocks.filter(({ label }) => label === 'CERTIFICATE');
  const chain = blocks.map(({ der }) => der ?? new Uint8Array());
  const bundle = parseStoredCaBundle(question.caBundlePem);
  const [leafDer] = chain;
  if (leafDer === undefined)
    return [problem('The file holds no certificate.', 'Give a PEM file with -----BEGIN CERTIFICATE-----.')];
  const leaf = readCertificate(leafDer);
  return [
    ...findingsOfBundle(bundle, question),
    ...(leaf instanceof DerError
      ? [
          problem(
            `The certificate cannot be read: ${leaf.message}.`,
            describeCertificateFault('malformed').cure,
          ),
        ]
      : findingsOfChain(leaf, chain, bundle, question)),
    ...(question.keyPem === undefined ? [] : findingsOfKey(question.keyPem, leaf)),
  ];
}

/** True if nothing found stands in the way of a connection. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== 'problem');
}

function findingsOfBundle(
  bundle: CaBundle,
  { caBundlePem, filters = [], nowMs }: CertificateQuestion,
): Finding[] {
  if (bundle.authorities.length === 0)
    return [
      problem(
        'The CA bundle of the namespace holds no readable certificate, so nobody gets in.',
        'Upload a CA.',
      ),
    ];
  const findings: Finding[] = [];
  for (const { notAfterMs, subject } of bundle.authorities)
    if (notAfterMs >= nowMs && notAfterMs - nowMs < EXPIRY_WARNING_MS)
      findings.push(
        warning(
          `The CA ${formatName(subject)} of the bundle expires ${inDays(notAfterMs, nowMs)}.`,
          'Add a new CA to the bundle, move the clients to it, then remove the old one.',
        ),
      );
  try {
    parseCaBundle(caBundlePem, { nowMs, hasFilters: filters.length > 0 });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    findings.push(
      warning(`The bundle could not be uploaded as it is: ${error.message}.`, 'Mend the entry it names.'),
    );
  }
  return findings;
}

function findingsOfChain(
  leaf: Certificate,
  chain: readonly Uint8Array[],
  bundle: CaBundle,
  { filters = [], nowMs }: CertificateQuestion,
): Finding[] {
  const verdict = verifyClientCertificate(chain, bundle, filters, nowMs);
  if (!verdict.admitted) {
    const known = explainUnknownCa(leaf, chain, bundle);
    if (verdict.reason === 'unknown_ca' && known !== undefined) return [known];
    if (verdict.reason === 'not_a_client_certificate' && hasLeafLater(leaf, chain))
      return [
        problem(
          'The file begins with a CA certificate.',
          "Put the client's own certificate first, then intermediates.",
        ),
      ];
    const { text, cure } = describeCertificateFault(verdict.reason);
    const own = verdict.reason === 'filter_mismatch' ? ` It says ${describeNames(leaf)}.` : '';
    return [problem(`${text} In detail: ${verdict.detail}.${own}`, cure)];
  }
  const { subject, notAfterMs, admittedUntilMs } = verdict.identity;
  const findings = [
    ok(`The certificate (${subject}) is admitted until ${new Date(admittedUntilMs).toISOString()}.`),
  ];
  if (notAfterMs - nowMs < EXPIRY_WARNING_MS)
    findings.push(
      warning(
        `The certificate expires ${inDays(notAfterMs, nowMs)}.`,
        'Renew it: nobody is told of this by mail.',
      ),
    );
  if (admittedUntilMs < notAfterMs)
    findings.push(
      warning(
        'A CA above the certificate expires before it, which ends the certificate too.',
        'Renew the CA first.',
      ),
    );
  return findings;
}

/** The two everyday causes behind "unknown CA", told apart by names, which a diagnosis may look at. */
function explainUnknownCa(
  leaf: Certificate,
  chain: readonly Uint8Array[],
  bundle: CaBundle,
): Finding | undefined {
  const presented = chain
    .slice(1)
    .map(readCertificate)
    .filter((read): read is Certificate => !(read instanceof DerError));
  const issuer = formatName(leaf.issuer);
  const named = (candidates: readonly Certificate[]) =>
    candidates.some(({ subject }) => subject.key === leaf.issuer.key);
  if (named(bundle.authorities))
    return problem(
      `The bundle has a CA named ${issuer}, but its key did not sign this certificate: another CA has the same name.`,
      'Issue the certificate with the CA of the bundle, or add the CA that did sign it to the bundle.',
    );
  if (named(presented)) return undefined;
  return problem(
    `The issuer of the certificate (${issuer}) is neither in the bundle nor in the file: it is another CA, or an intermediate is missing.`,
    "Append the intermediate certificates to the client's file, or put the issuer into the bundle.",
  );
}

function hasLeafLater(first: Certificate, chain: readonly Uint8Array[]): boolean {
  const isCa = (certificate: Certificate) => certificate.extensions.basicConstraints?.ca === true;
  const others = chain.slice(1).map(readCertificate);
  return isCa(first) && others.some((other) => !(other instanceof DerError) && !isCa(other));
}

function findingsOfKey(keyPem: string, leaf: Certificate | DerError): Finding[] {
  const block = readPem(keyPem).blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined)
    return [
      problem('The key file holds no private key.', 'Give a PEM file with -----BEGIN PRIVATE KEY-----.'),
    ];
  if (block.label.startsWith('ENCRYPTED') || block.der === null)
    return [
      problem('The private key is encrypted or damaged: clients cannot ask for a passphrase.', PKCS8_CURE),
    ];
  const key = openKey(keyPem);
  if (key === undefined) return [problem('The private key cannot be read.', PKCS8_CURE)];
  const findings = findingsOfKeyForm(block);
  if (!(leaf instanceof DerError) && !leaf.x509.checkPrivateKey(key))
    findings.push(
      problem('The private key does not belong to the certificate.', 'Use the pair that was made together.'),
    );
  return findings.length === 0 ? [ok('The private key belongs to the certificate.')] : findings;
}

const PKCS8_CURE = 'Convert it: openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key';

function findingsOfKeyForm({ label }: PemBlock): Finding[] {
  if (label === 'PRIVATE KEY') return [];
  const form = label === 'RSA PRIVATE KEY' ? 'PKCS#1' : 'SEC 1';
  return [warning(`The private key is in the ${form} form, which the Java SDK cannot read.`, PKCS8_CURE)];
}

function openKey(keyPem: string): KeyObject | undefined {
  try {
    return createPrivateKey(keyPem);
  } catch {
    // What a decoder says about a key is not for the terminal.
    return undefined;
  }
}

function describeNames(leaf: Certificate): string {
  const names = leaf.extensions.subjectAlternativeNames ?? [];
  const dnsNames = names.flatMap((name) => (name.kind === 'dns' && name.text !== null ? [name.text] : []));
  return `${formatName(leaf.subject)}, with the DNS names ${dnsNames.length === 0 ? '(none)' : dnsNames.join(', ')}`;
}

function inDays(notAfterMs: number, nowMs: number): string {
  const days = Math.floor((notAfterMs - nowMs) / DAY_MS);
  return days < 1 ? 'in less than a day' : `in ${days} day${days === 1 ? '' : 's'}`;
}

function ok(text: string): Finding {
  return { level: 'ok', text };
}

function warning(text: string, cure: string): Finding {
  return { level: 'warning', text, cure };
}

function problem(text: string, cure: string): Finding {
  return { level: 'problem', text, cure };
}
