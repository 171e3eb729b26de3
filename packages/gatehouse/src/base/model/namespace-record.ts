import type { CertificateFilter } from './certificate-filter.ts';
import type { NamespaceLimits } from './limits.ts';

/** A namespace as the directory keeps it and the data plane reads it. Frozen; a change makes a new one. */
export interface NamespaceRecord {
  /** Public id `<namespace>.<account>`. */
  readonly id: string;
  /** This incarnation: a namespace deleted and made again under the same name has another one (T-054). */
  readonly uuid: string;
  readonly account: string;
  readonly region: string;
  readonly state: 'active' | 'suspended' | 'deleted';
  readonly retentionDays: number;
  /** The engine's own id of the namespace, once it has been registered there. */
  readonly engineId: string | null;
  /** PEM of the CA certificates that client certificates must chain to. Empty: nobody gets in. */
  readonly caBundlePem: string;
  readonly certificateFilters: readonly CertificateFilter[];
  /** TLS 1.2 is accepted from this namespace's clients; 1.3 always is. */
  readonly allowTls12: boolean;
  /** Nexus endpoints that this namespace's workflows may call, where Nexus is on. */
  readonly nexusEndpoints: readonly string[];
  /**
   * Uuids of the namespaces that its workflows may call or once could: what those answered stands in its histories,
   * and must stay readable there when an endpoint is taken from it.
   */
  readonly nexusPeers?: readonly string[];
  /** `strict`: the audit record is on disk before the caller gets its answer. */
  readonly auditMode: 'relaxed' | 'strict';
  /** How its payloads, memos, headers and failures are kept. */
  readonly sealing: NamespaceSealing;
  /** Search attributes (Keyword or KeywordList) whose values are sealed so that equality can still be asked. */
  readonly sealedAttributes: readonly string[];
  /** Name of the KMS key that wraps its keys, as the configuration knows it. Empty: the platform's own. */
  readonly kmsKey: string;
  /** What becomes of payloads that its clients did not encrypt themselves. */
  readonly clientEncryption: 'off' | 'report' | 'require';
  /** Places where plaintext passes although client-side encryption is required (core/sealing says which words). */
  readonly plaintextAllowed: readonly string[];
  /** Where they differ from the platform's. */
  readonly limits: Partial<NamespaceLimits>;
  /** The directory's change counter when this row last changed. */
  readonly revision: number;
}

/**
 * `on`: sealed, and what comes back from the store without a seal is refused. `migrate`: sealed, and what was
 * stored before is read as it is. `off`: stored as it comes; what was sealed before stays readable.
 */
export type NamespaceSealing = 'off' | 'migrate' | 'on';

/** The whole directory at one moment, as the data plane reads it. */
export interface DirectorySnapshot {
  /** The directory's change counter: it only grows. */
  readonly revision: number;
  /** When the database last confirmed that this snapshot is current (Unix ms). */
  readonly confirmedAtMs: number;
  readonly namespaces: ReadonlyMap<string, NamespaceRecord>;
}
