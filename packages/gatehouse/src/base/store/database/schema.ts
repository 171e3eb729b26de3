/**
 * The tables as Kysely sees them: the common subset of SQLite and PostgreSQL, which is text and integers.
 * Lists are JSON in text, bytes are base64 in text, booleans are 0 and 1.
 */
export interface DirectorySchema {
  readonly directory_migrations: { version: number; name: string; applied_at_ms: number };
  readonly directory_state: DirectoryStateTable;
  readonly accounts: { id: string; created_at_ms: number; revision: number };
  readonly namespaces: NamespaceTable;
  readonly token_keys: TokenKeyRow;
}

/** One row. Every write adds one to `revision` first, and thereby waits for the writer before it. */
export interface DirectoryStateTable {
  id: number;
  /** This database and its copies: another one has other words, whatever its revision. */
  lineage: string;
  revision: number;
}

export interface NamespaceTable {
  uuid: string;
  id: string;
  account: string;
  region: string;
  state: 'active' | 'suspended' | 'deleted';
  retention_days: number;
  engine_id: string | null;
  ca_bundle_pem: string;
  certificate_filters: string;
  allow_tls12: number;
  nexus_endpoints: string;
  audit_mode: 'relaxed' | 'strict';
  created_at_ms: number;
  revision: number;
}

export interface TokenKeyRow {
  id: number;
  created_at_ms: number;
  kms_key_id: string;
  /** Base64 of what the KMS made of the key. */
  wrapped: string;
}
