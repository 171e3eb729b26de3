import type { Certificate } from './certificate.ts';
import { extendedKeyUsages, keyUsageBits } from './certificate-extensions.ts';
import type { CertificateFault } from './certificate-fault.ts';

/** One broken rule. `text` continues "The certificate ..." and holds no text that came with the certificate. */
export interface Breach {
  readonly fault: CertificateFault;
  readonly text: string;
}

/** NIST SP 800-57: 2048 bits are the least for 112 bits of strength. */
const RSA_BITS_MIN = 2048;
/** Above this a verification costs milliseconds, and a stranger chooses the key. */
const RSA_BITS_MAX = 8192;

/**
 * A CA certificate, by the same rules where a bundle is accepted and where a client is checked (T-013).
 * Undefined if it may sign client certificates.
 */
export function breachOfIssuer(certificate: Certificate): Breach | undefined {
  return breachOfForm(certificate) ?? breachOfAuthority(certificate);
}

/** A client's own certificate. An absent usage extension allows everything, as tcld's leaves need. */
export function breachOfLeaf(certificate: Certificate): Breach | undefined {
  const breach = breachOfForm(certificate);
  if (breach !== undefined) return breach;
  const { basicConstraints, keyUsage } = certificate.extensions;
  const fault = 'not_a_client_certificate';
  if (basicConstraints?.ca === true) return { fault, text: 'is a CA certificate (CA:true)' };
  if (keyUsage?.has(keyUsageBits.digitalSignature) === false)
    return { fault, text: 'has a keyUsage without digitalSignature' };
  if (!isForClients(certificate)) return { fault, text: 'has an extendedKeyUsage without clientAuth' };
  return undefined;
}

/** Version, key, signature and critical extensions: what every certificate of a chain must meet. */
export function breachOfForm(certificate: Certificate): Breach | undefined {
  const { version, extensions } = certificate;
  if (version !== 3) return { fault: 'not_version_3', text: `is X.509 version ${version}, not 3` };
  const weakness = weaknessOfKey(certificate) ?? weaknessOfSignature(certificate);
  if (weakness !== undefined) return { fault: 'weak_algorithm', text: weakness };
  const [unknown] = extensions.criticalUnknown;
  return unknown === undefined
    ? undefined
    : { fault: 'critical_extension_unknown', text: `has an unknown critical extension (${unknown})` };
}

export function breachOfValidity(
  certificate: Certificate,
  nowMs: number,
  isIssuer: boolean,
): Breach | undefined {
  const { notBeforeMs, notAfterMs } = certificate;
  if (nowMs > notAfterMs)
    return {
      fault: isIssuer ? 'issuer_expired' : 'expired',
      text: `expired at ${new Date(notAfterMs).toISOString()}`,
    };
  if (nowMs < notBeforeMs)
    return {
      fault: isIssuer ? 'issuer_not_yet_valid' : 'not_yet_valid',
      text: `is not valid before ${new Date(notBeforeMs).toISOString()}`,
    };
  return undefined;
}

/** True if this key made the signature and OpenSSL agrees that the one may have issued the other. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return isSignedBy(certificate, issuer) && certificate.x509.checkIssued(issuer.x509);
}

/** The signature alone: names say nothing (T-011). Bytes that are no signature are no signature. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    return certificate.x509.verify(issuer.x509.publicKey);
  } catch {
    // OpenSSL throws on keys and signatures that it cannot even begin to check: the answer is the same.
    return false;
  }
}

/** Signed by its own key, and says so. */
export function isSelfSigned(certificate: Certificate): boolean {
  return certificate.issuer.key === certificate.subject.key && isIssuedBy(certificate, certificate);
}

function breachOfAuthority(certificate: Certificate): Breach | undefined {
  const { basicConstraints, keyUsage } = certificate.extensions;
  const fault = 'issuer_not_a_ca';
  if (basicConstraints === undefined)
    return { fault, text: 'is not a CA certificate: it has no basicConstraints' };
  if (!basicConstraints.ca) return { fault, text: 'is a leaf certificate (CA:false), not a CA certificate' };
  if (keyUsage?.has(keyUsageBits.keyCertSign) === false)
    return { fault, text: 'has a keyUsage without keyCertSign' };
  return isForClients(certificate)
    ? undefined
    : { fault: 'issuer_not_for_clients', text: 'is a CA with an extendedKeyUsage without clientAuth' };
}

function isForClients({ extensions }: Certificate): boolean {
  const usages = extensions.extendedKeyUsage;
  return (
    usages === undefined || usages.has(extendedKeyUsages.clientAuth) || usages.has(extendedKeyUsages.any)
  );
}

function weaknessOfKey({ key }: Certificate): string | undefined {
  if (key.kind === 'ec') return undefined;
  if (key.kind === 'other') return 'has a key that is neither RSA nor ECDSA on P-256, P-384 or P-521';
  if (key.bits < RSA_BITS_MIN)
    return `has an RSA key of ${key.bits} bits; at least ${RSA_BITS_MIN} are needed`;
  if (key.bits > RSA_BITS_MAX)
    return `has an RSA key of ${key.bits} bits; at most ${RSA_BITS_MAX} are accepted`;
  return key.exponentIsSound ? undefined : 'has an RSA key with an unusual exponent';
}

function weaknessOfSignature({ signature }: Certificate): string | undefined {
  if (signature.hash === 'weak') return 'is signed with SHA-1 or MD5; SHA-256 or stronger is needed';
  return signature.hash === 'unknown' || signature.family === 'other'
    ? 'is signed with an algorithm that is neither RSA nor ECDSA with SHA-256, SHA-384 or SHA-512'
    : undefined;
}
