/** Who is calling, by a client certificate that the namespace's CA bundle admits. */
export interface CertificatePrincipal {
  readonly kind: 'certificate';
  readonly namespaceId: string;
  /** How records name it: `certificate:<fingerprint>`. */
  readonly label: string;
  /** Issuer and serial, for records. */
  readonly credential: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

export type Principal = CertificatePrincipal;
