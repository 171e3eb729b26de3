import type { CertificateFilter } from '#base/model/certificate-filter';
import type { CaBundle } from './ca-bundle.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import type { CertificateFault } from './certificate-fault.ts';
import { matchesFilters } from './certificate-filter.ts';
import { findCertificatePath, PATH_LENGTH_MAX } from './certificate-path.ts';
import { breachOfLeaf, breachOfValidity } from './certificate-rules.ts';
import { DerError } from './der.ts';
import { formatName } from './distinguished-name.ts';

/** Who a client certificate says its holder is, once it has been admitted. Texts are for records only. */
export interface CertificateIdentity {
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  readonly issuer: string;
  readonly subject: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfterMs: number;
  /** When the first certificate of the chain expires, at latest `notAfterMs`: ask again then (T-012). */
  readonly admittedUntilMs: number;
}

export type ClientVerdict =
  | { readonly admitted: true; readonly identity: CertificateIdentity }
  | {
      readonly admitted: false;
      readonly reason: CertificateFault;
      /** For the operator's log and for `gatehouse doctor`: never for a stranger. */
      readonly detail: string;
    };

/**
 * Decides whether this client certificate may speak for a namespace (design decision 5). Asks nothing of the
 * TLS layer: signatures, names, times and usages are all judged here, against the bundle in force now. The
 * verdict may be kept by leaf fingerprint, presented chain, bundle fingerprint and filters, until
 * `admittedUntilMs`. Never throws on a stranger's bytes, and takes a bounded time.
 * @param chain DER, leaf first, as presented in the handshake.
 */
export function verifyClientCertificate(
  chain: readonly Uint8Array[],
  bundle: CaBundle,
  filters: readonly CertificateFilter[],
  nowMs: number,
): ClientVerdict {
  const [leafDer, ...others] = chain;
  if (leafDer === undefined) return refused('missing', 'no certificate was presented');
  if (chain.length > PATH_LENGTH_MAX)
    return refused('chain_too_long', `${chain.length} certificates were presented`);
  const leaf = readCertificate(leafDer);
  if (leaf instanceof DerError)
    return refused('malformed', `the certificate cannot be read: ${leaf.message}`);
  const breach = breachOfLeaf(leaf) ?? breachOfValidity(leaf, nowMs, false);
  if (breach !== undefined) return refused(breach.fault, `the certificate ${breach.text}`);
  // What is not readable cannot vouch for anybody, and what is not needed need not be well-formed.
  const presented = others
    .map(readCertificate)
    .filter((read): read is Certificate => !(read instanceof DerError));
  const { authorities, roots } = bundle;
  const answer = findCertificatePath({ leaf, presented, authorities, roots, nowMs });
  if (!answer.found) return refused(answer.breach.fault, `the certificate ${answer.breach.text}`);
  if (!matchesFilters(leaf, filters))
    return refused('filter_mismatch', `none of ${filters.length} filters matches the certificate`);
  return { admitted: true, identity: identityOf(leaf, answer.path) };
}

function identityOf(leaf: Certificate, path: readonly Certificate[]): CertificateIdentity {
  return {
    fingerprint: leaf.fingerprint,
    issuer: formatName(leaf.issuer),
    subject: formatName(leaf.subject),
    serial: leaf.serial,
    notAfterMs: leaf.notAfterMs,
    admittedUntilMs: Math.min(...path.map(({ notAfterMs }) => notAfterMs)),
  };
}

function refused(reason: CertificateFault, detail: string): ClientVerdict {
  return { admitted: false, reason, detail };
}
