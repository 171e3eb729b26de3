import type { TokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import type { CertificateFilter } from '#base/model/certificate-filter';
import type { NamespaceLimits } from '#base/model/limits';
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
  /**
   * The wrapped keys of a living namespace's incarnation, in the order of their making; those that were destroyed are in it, without
   * bytes. The same array until one of them changes.
   */
  namespaceKeys(namespaceUuid: string): readonly WrappedNamespaceKey[];
  /** Asks the database now, for a key that another process has made. Never rejects: see `state`. */
  refresh(): Promise<void>;
  readonly write: DirectoryWriter;
  readonly words: AdminWords;
  close(): Promise<void>;
}

/**
 * `current`: the database confirms the snapshot all the time. `detached`: it is away, older than the snapshot
 * or of another version; the last snapshot serves (F-03). `expired`: it has been so for longer than the
 * ceiling, and the data plane must take no new connections (F-04).
 */
export type DirectoryState = 'current' | 'detached' | 'expired';

export type DirectoryListener = (snapshot: DirectorySnapshot, changedIds: readonly string[]) => void;

/** A namespace key as it lies in the directory. */
export interface WrappedNamespaceKey {
  /** 16 hex digits, random. */
  readonly id: string;
  readonly namespaceUuid: string;
  readonly purpose: 'payload' | 'attribute';
  readonly createdAtMs: number;
  /** The KMS key that wrapped it (`Kms.keyId`). */
  readonly kmsKeyId: string;
  /** Base64 of what the KMS made of it; empty where it was destroyed. */
  readonly wrapped: string;
  readonly state: 'active' | 'destroyed';
}

/** What was done from outside the running platform, such as by a command: it goes into its audit chain. */
export interface AdminWord {
  /** The same each time the word is heard. */
  readonly id: string;
  /** When it was left (Unix ms). */
  readonly atMs: number;
  /** Who, such as `operator:command`. */
  readonly actor: string;
  /** A verb, as in {@link AuditEvent}. */
  readonly method: string;
  /** Public id, or empty. */
  readonly namespace: string;
  readonly outcome: AuditEvent['outcome'];
  readonly detail: string;
}

export type NewAdminWord = Omit<AdminWord, 'id' | 'atMs'>;

export type WordHandler = (word: AdminWord) => Promise<void>;

/**
 * The words that are left for the platform. One process hears each; where it dies before it has handled it,
 * or its handler fails, it is heard again.
 */
export interface AdminWords {
  /**
   * Hears all that wait, one after the other. @returns how many.
   * @throws Refusal `directory_unavailable`; and what the handler throws, the word then waits again.
   */
  take(handler: WordHandler): Promise<number>;
  /** Hears those that wait and those that come, until ended. A handler that fails is asked again later. */
  follow(handler: WordHandler): () => void;
}

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
  /** `on` by default: give the keys with {@link DirectoryWriter.addNamespaceKeys} before the first call. */
  readonly sealing?: NamespaceRecord['sealing'];
  readonly sealedAttributes?: readonly string[];
  readonly kmsKey?: string;
  readonly clientEncryption?: NamespaceRecord['clientEncryption'];
  readonly plaintextAllowed?: readonly string[];
  /** Those of the platform by default. */
  readonly limits?: Partial<NamespaceLimits>;
}

/** How a namespace's payloads are kept. What is left out stays. */
export interface EncryptionSettings {
  readonly sealing?: NamespaceRecord['sealing'];
  readonly sealedAttributes?: readonly string[];
  readonly kmsKey?: string;
  readonly clientEncryption?: NamespaceRecord['clientEncryption'];
  readonly plaintextAllowed?: readonly string[];
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
  /**
   * Remembers namespaces that Nexus connects with this one, by their uuids, for good.
   * @throws Refusal `input_invalid` for more than can be kept, or what is no living namespace's uuid.
   */
  addNexusPeers(id: string, uuids: readonly string[]): Promise<NamespaceRecord>;
  /** Give the revision that was read before the engine was asked: the namespace may be another by now. */
  setEngineId(id: string, engineId: string, expectedRevision?: number): Promise<NamespaceRecord>;
  setRetentionDays(id: string, days: number, expectedRevision?: number): Promise<NamespaceRecord>;
  setAuditMode(
    id: string,
    mode: NamespaceRecord['auditMode'],
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  /** All of them: what is left out is the platform's. */
  setLimits(
    id: string,
    limits: Partial<NamespaceLimits>,
    expectedRevision?: number,
  ): Promise<NamespaceRecord>;
  setEncryption(
    id: string,
    settings: EncryptionSettings,
    expectedRevision?: number,
    word?: NewAdminWord,
  ): Promise<NamespaceRecord>;
  /**
   * Adds wrapped keys to a namespace. @throws Refusal `input_invalid` where `ifNewest` is given and is not the
   * id of its newest key of that purpose ('' for none): another process was first. @throws Refusal
   * `namespace_erased` where its keys were destroyed.
   */
  addNamespaceKeys(
    id: string,
    keys: readonly WrappedNamespaceKey[],
    ifNewest?: { readonly purpose: WrappedNamespaceKey['purpose']; readonly keyId: string },
    word?: NewAdminWord,
  ): Promise<void>;
  /**
   * Exchanges what the KMS made of a key, where it still is `oldWrapped`. @returns false where it is not, and
   * then the word is not left either.
   */
  rewrapNamespaceKey(
    keyId: string,
    oldWrapped: string,
    kmsKeyId: string,
    wrapped: string,
    word?: NewAdminWord,
  ): Promise<boolean>;
  /**
   * Wipes every key of a namespace for good, in all incarnations of its id, also from the files of the
   * database and of this process' sealed copy. Repeat it where it throws: the rows may be wiped and the files
   * not yet. @returns how many were not destroyed before.
   */
  destroyNamespaceKeys(id: string, word?: NewAdminWord): Promise<number>;
  /** Leaves a word for the running platform, whichever replica hears it. */
  leaveWord(word: NewAdminWord): Promise<void>;
  /** The row stays as a tombstone. A namespace made again under this id has another uuid (T-054). */
  deleteNamespace(id: string, expectedRevision?: number): Promise<void>;
}
