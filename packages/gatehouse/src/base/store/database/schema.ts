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
  readonly namespace_keys: NamespaceKeyTable;
  readonly admin_words: AdminWordTable;
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
  nexus_peers: string;
  audit_mode: 'relaxed' | 'strict';
  sealing: 'off' | 'migrate' | 'on';
  sealed_attributes: string;
  kms_key: string;
  client_encryption: 'off' | 'report' | 'require';
  plaintext_allowed: string;
  /** JSON object of those that differ from the platform's. */
  limits: string;
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

export interface NamespaceKeyTable {
  id: string;
  namespace_uuid: string;
  /** Counts the keys of a namespace from 1: which is the newest, whatever the clocks of their makers said. */
  ordinal: number;
  purpose: 'payload' | 'attribute';
  created_at_ms: number;
  kms_key_id: string;
  /** Base64 of what the KMS made of the key; empty once it is destroyed. */
  wrapped: string;
  state: 'active' | 'destroyed';
  revision: number;
}

export interface AdminWordTable {
  id: string;
  at_ms: number;
  actor: string;
  method: string;
  namespace: string;
  outcome: string;
  detail: string;
  /** Until then one process has it in hand (Unix ms); 0 where none has. */
  claimed_until_ms: number;
}
