/**
 * One certificate filter of a namespace, as Temporal Cloud defines it: all fields that are set must match,
 * a certificate passes if any filter matches, and no filters at all admit every leaf of the CA bundle.
 * A value is compared whole and without case, with at most one `*` at its start or its end.
 */
export interface CertificateFilter {
  readonly commonName?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly subjectAlternativeName?: string;
}
