import type { TokenKeyring } from '#base/crypto/token-keyring';
import type { CertificateFilter } from '#base/model/certificate-filter';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';

/**
 * The directory as everybody else sees it. Reading is a look into memory and never waits; a write is on disk
 * when it returns, and in this process' snapshot too.
 */
export interface Directory {
  /** The newest snapshot. Deleted namespaces are not in it. Records that did not change stay the same objects. */
  snapshot(): DirectorySnapshot;
  /** How long ago the database confirmed the snapshot. Grows while it is away. */
  snapshotAgeMs(): number;
  state(): DirectoryState;
  /** Called after each change with the ids of the namespaces made, changed or deleted. Returns its own end. */
  onChange(listener: DirectoryListener): () => void;
  /** The token-binding keys in force. */
  tokenKeys(): TokenKeyring;
  readonly write: DirectoryWriter;
  close(): Promise<void>;
}

/**
 * `current`: the database confirms the snapshot all the time. `detached`: it is away, older than the snapshot
 * or of another version; the last snapshot serves (F-03). `expired`: it has been so for longer than the
 * ceiling, and the data plane must take no new connections (F-04).
 */
export type DirectoryState = 'current' | 'detached' | 'expired';

export type DirectoryListener = (snapshot: DirectorySnapshot, changedIds: readonly string[]) => void;

/** A namespace to be made. What is left out gets the default that is named here. */
export interface NewNamespace {
  readonly id: string;
  readonly region: string;
  /** 1 to 90. */
  readonly retentionDays: number;
  /** PEM; empty (the default) lets nobody in. */
  readonly caBundlePem?: string;
  /** None by default: every leaf of the bundle. */
  readonly certificateFilters?: readonly CertificateFilter[];
  /** False by default. */
  readonly allowTls12?: boolean;
  readonly nexusEndpoints?: readonly string[];
  /** `relaxed` by default. */
  readonly auditMode?: NamespaceRecord['auditMode'];
  readonly engineId?: string;
}

/**
 * Changes to the directory, each one transaction. All throw `directory_unavailable` while the database is
 * away; where the connection broke in mid-commit the change may have been made all the same: read, then
 * retry. A change of a namespace throws `namespace_unknown` where there is none of that id, and
 * `input_invalid` where `expectedRevision` is given and is not the record's any more.
 */
export interface DirectoryWriter {
  /** @throws Refusal `input_invalid` where it exists already. */
  createAccount(id: string): Promise<void>;
  /** @throws Refusal `input_invalid` for a fault in the input, a missing account, an id in use. */
  createNamespace(namespace: NewNamespace): Promise<NamespaceRecord>;
  setCaBundle(id: string, pem: string, expectedRevision?: number): Promise<NamespaceRecord>;
  setCertificateFilters(
    id: string,
    filters: readonly CertificateFilter[],
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  setState(id: string, state: 'active' | 'suspended', expectedRevision?: number): Promise<NamespaceRecord>;
  setTlsPolicy(
    id: string,
    policy: { readonly allowTls12: boolean },
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  setNexusEndpoints(
    id: string,
    endpoints: readonly string[],
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  /** Give the revision that was read before the engine was asked: the namespace may be another by now. */
  setEngineId(id: string, engineId: string, expectedRevision?: number): Promise<NamespaceRecord>;
  setRetentionDays(id: string, days: number, expectedRevision?: number): Promise<NamespaceRecord>;
  setAuditMode(
    id: string,
    mode: NamespaceRecord['auditMode'],
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  /** The row stays as a tombstone. A namespace made again under this id has another uuid (T-054). */
  deleteNamespace(id: string, expectedRevision?: number): Promise<void>;
}
