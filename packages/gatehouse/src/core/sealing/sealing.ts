import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal } from '#base/model/refusals';
import type { Directory } from '#base/store/directory';
import type { NamespaceKeys } from './namespace-keys.ts';

/** Finds the keys that a call needs. */
export interface Sealing {
  /**
   * The keys of a call's namespace; undefined where it has none and needs none. At once where they are at hand.
   * @throws Refusal `encryption_unavailable`, `encryption_key_disabled`, `namespace_erased`
   */
  keysFor(record: NamespaceRecord): NamespaceKeyring | undefined | Promise<NamespaceKeyring>;
  /** The keys of a namespace that Nexus connects with this one and that owns this key, where they are at hand. */
  peer(record: NamespaceRecord, keyId: string): NamespaceKeyring | undefined;
  /** Brings a key to hand that a box named. @returns false where there is no such key for this namespace. */
  load(record: NamespaceRecord, keyId: string, nexus: boolean): Promise<boolean>;
  /** Does Nexus connect it with a namespace that stores plaintext, now or from before? Absent: it never does. */
  hasPlainPeer?(record: NamespaceRecord): boolean;
}

export interface SealingOptions {
  readonly directory: Pick<Directory, 'namespaceKeys'>;
  readonly keys: NamespaceKeys;
  /** The namespaces that Nexus connects with this one, both ways. */
  readonly peersOf: (record: NamespaceRecord) => readonly NamespaceRecord[];
}

export function createSealing({ directory, keys, peersOf }: SealingOptions): Sealing {
  /** Keys that were destroyed have no owner: what they sealed is unreadable, and the reader is not erased. */
  const ownerOf = (record: NamespaceRecord, keyId: string): NamespaceRecord | undefined =>
    peersOf(record).find(({ uuid }) =>
      directory.namespaceKeys(uuid).some(({ id, state }) => id === keyId && state === 'active'),
    );
  const fetchKey = async (owner: NamespaceRecord, keyId: string): Promise<boolean> => {
    const held = await keys.get(owner);
    return held.hasKey(keyId) || (await keys.refreshed(owner)).hasKey(keyId);
  };
  return {
    keysFor(record) {
      const none = record.sealing === 'off' && directory.namespaceKeys(record.uuid).length === 0;
      return none ? undefined : keys.get(record);
    },
    peer(record, keyId) {
      const owner = ownerOf(record, keyId);
      if (owner === undefined) return undefined;
      try {
        const keyring = keys.get(owner);
        return keyring instanceof Promise ? undefined : keyring;
      } catch (error) {
        // Its trouble is told when its key is loaded.
        if (error instanceof Refusal) return undefined;
        throw error;
      }
    },
    async load(record, keyId, nexus) {
      const owner = nexus ? ownerOf(record, keyId) : undefined;
      if (owner !== undefined) return fetchKey(owner, keyId);
      if (await fetchKey(record, keyId)) return true;
      // The directory was asked meanwhile: a peer's key may be new in it.
      const late = nexus ? ownerOf(record, keyId) : undefined;
      return late !== undefined && fetchKey(late, keyId);
    },
    hasPlainPeer: (record) => peersOf(record).some(({ sealing }) => sealing !== 'on'),
  };
}
