interface FaultRow {
  /** What is wrong, as a sentence for people. */
  readonly text: string;
  /** What its owner should do about it. */
  readonly cure: string;
}

/**
 * Every reason for which a client certificate is refused. Words are stable: they stand in audit records.
 * `issuer_*` words are about a CA certificate on the way, the others about the client's own certificate.
 */
const faults = {
  missing: {
    text: 'No certificate was presented.',
    cure: 'Give the client its certificate and key.',
  },
  malformed: {
    text: 'The certificate is not well-formed X.509 (strict DER).',
    cure: 'Issue it anew with current tools, such as `gatehouse cert leaf`.',
  },
  not_version_3: {
    text: 'The certificate is not X.509 version 3.',
    cure: 'Issue it with extensions; with OpenSSL, give -extfile.',
  },
  weak_algorithm: {
    text: 'A key or signature is weaker than RSA 2048 or ECDSA P-256 with SHA-256.',
    cure: 'Issue it with a stronger key and SHA-256 or better.',
  },
  critical_extension_unknown: {
    text: 'A certificate carries a critical extension that is not understood here.',
    cure: 'Issue it without that extension, or not critical.',
  },
  expired: { text: 'The certificate has expired.', cure: 'Renew it.' },
  not_yet_valid: {
    text: 'The certificate is not valid yet.',
    cure: 'Check the clock of the machine that issued it, or wait.',
  },
  not_a_client_certificate: {
    text: 'The certificate may not be used by a client.',
    cure: 'Use a leaf: CA:false, keyUsage with digitalSignature and extendedKeyUsage with clientAuth, or neither usage.',
  },
  unknown_ca: {
    text: "The certificate was not signed by a CA of the namespace's bundle.",
    cure: 'Sign it with a CA of the bundle, add its CA to the bundle, or present the intermediates with it.',
  },
  issuer_expired: {
    text: 'A CA certificate above the certificate has expired, which invalidates all below it.',
    cure: 'Renew the CA, put it into the bundle, and issue new client certificates.',
  },
  issuer_not_yet_valid: {
    text: 'A CA certificate above the certificate is not valid yet.',
    cure: 'Check the clock of the machine that made the CA, or wait.',
  },
  issuer_not_a_ca: {
    text: 'The certificate was signed by one that may not sign certificates.',
    cure: 'Sign it with a CA: basicConstraints CA:true, and keyCertSign where keyUsage is present.',
  },
  issuer_not_for_clients: {
    text: 'A CA above the certificate is limited to other purposes than client authentication.',
    cure: 'Use a CA without extendedKeyUsage, or one that lists clientAuth.',
  },
  path_too_long: {
    text: 'More CA certificates stand between than the path length of a CA above allows.',
    cure: 'Sign with a CA nearer to the root, or raise its pathlen.',
  },
  name_repeated: {
    text: 'Two certificates of the chain have the same distinguished name.',
    cure: 'Give the leaf and every CA above it names of their own; case does not count.',
  },
  name_not_permitted: {
    text: 'The name constraints of a CA do not allow a name of a certificate below it.',
    cure: 'Use names inside the permitted ones of the CA.',
  },
  chain_too_long: {
    text: 'The certificate chain is too long.',
    cure: 'Present only the leaf and the intermediates up to a CA of the bundle, ten at most.',
  },
  chain_too_complex: {
    text: 'Too many certificates of the chain carry the same names, or too many names meet too many name constraints.',
    cure: 'Present only the certificates that lead to the CA, with the names that are needed.',
  },
  filter_mismatch: {
    text: 'The certificate is signed by a CA of the namespace but passes none of its certificate filters.',
    cure: 'Issue it with a subject or DNS name that a filter names, or change the filters.',
  },
} as const satisfies Record<string, FaultRow>;

export type CertificateFault = keyof typeof faults;

/** What is wrong and what helps. For the owner of the certificate; strangers get an alert or one fixed text. */
export function describeCertificateFault(fault: CertificateFault): {
  readonly text: string;
  readonly cure: string;
} {
  return faults[fault];
}
