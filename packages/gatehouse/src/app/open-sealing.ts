import { createNamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { AdminWord, Directory } from '#base/store/directory';
import type { AuditWriter } from '#core/audit/audit-writer';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';
import { startKeyRotation } from '#core/sealing/key-rotation';
import { ensureNamespaceKeys } from '#core/sealing/make-namespace-keys';
import { createNamespaceKeys } from '#core/sealing/namespace-keys';
import { createSealing, type Sealing } from '#core/sealing/sealing';
import { adminEvent } from './admin-event.ts';
import type { KmsKeys } from './kms-keys.ts';
import { nexusPeers } from './nexus-peers.ts';

/** How long keys live. What is left out has the value that the configuration's page names. */
export interface KeyLives {
  readonly cacheMs?: number;
  readonly dataKeyMaxAgeMs?: number;
  readonly dataKeyMaxMessages?: number;
  readonly namespaceKeyDays?: number;
}

export interface OpenSealing {
  readonly sealing: Sealing;
  /** Makes the first keys of a namespace that is sealed and has none. */
  ensureKeys(record: NamespaceRecord): Promise<void>;
  close(): Promise<void>;
}

const NAMESPACE_KEY_DAYS = 365;

interface SealingParts {
  readonly directory: Directory;
  readonly kmsKeys: KmsKeys;
  readonly region: string;
  readonly lives: KeyLives;
  readonly nexusEndpoints: readonly NexusEndpoint[];
  readonly clock: Clock;
  readonly log: Log;
}

/** The keys of the namespaces in use, as they are: whoever else serves the directory renews them. */
export function openHeldKeys(parts: SealingParts): Pick<OpenSealing, 'sealing' | 'close'> {
  const { directory, kmsKeys, region, clock, log } = parts;
  const { cacheMs, namespaceKeyDays: _renewed, ...dataKeys } = parts.lives;
  const keys = createNamespaceKeys({
    directory,
    kmsOf: (kmsKeyId) => kmsKeys.byId(kmsKeyId),
    region,
    createKeyring: (scope, held) => createNamespaceKeyring(scope, held, { ...dataKeys, clock }),
    clock,
    log,
    ...(cacheMs === undefined ? {} : { cacheMs }),
  });
  return {
    sealing: createSealing({
      directory,
      keys,
      peersOf: nexusPeers(() => directory.snapshot(), parts.nexusEndpoints),
    }),
    async close() {
      keys.close();
    },
  };
}

/** The keys of the namespaces in use, with what renews them. */
export function openSealing(parts: SealingParts & { readonly audit: AuditWriter }): OpenSealing {
  const { directory, kmsKeys, audit, region, clock, log } = parts;
  const { namespaceKeyDays = NAMESPACE_KEY_DAYS } = parts.lives;
  const held = openHeldKeys(parts);
  const rotation = startKeyRotation({
    directory,
    kmsFor: (record) => kmsKeys.wrapperOf(record),
    region,
    namespaceKeyDays,
    clock,
    log,
    onRotated: ({ namespaceId, keyId }) => {
      const event = { method: 'keys.rotate', outcome: 'ok', namespace: namespaceId, detail: keyId } as const;
      audit.append(adminEvent(clock, event));
    },
  });
  const stopWords = directory.words.follow((word) => recordWord(audit, clock, word));
  return {
    sealing: held.sealing,
    async ensureKeys(record) {
      const kms = kmsKeys.wrapperOf(record);
      if (kms === undefined) {
        throw new Error(`namespace ${record.id}: the KMS key ${record.kmsKey} is not in encryption.keys`);
      }
      const made = await ensureNamespaceKeys({ directory, kms, clock }, record);
      if (made.length === 0) return;
      const detail = made.join(', ');
      audit.append(adminEvent(clock, { method: 'keys.create', outcome: 'ok', namespace: record.id, detail }));
    },
    async close() {
      stopWords();
      await rotation.stop();
      await held.close();
    },
  };
}

/** What another process did to the keys, as it left word of it. On disk before the word is gone. */
async function recordWord(audit: AuditWriter, clock: Clock, word: AdminWord): Promise<void> {
  const { method, outcome, namespace, detail, actor, atMs } = word;
  const event = adminEvent(clock, { method, outcome, namespace, detail });
  await audit.appendStrict({ ...event, timeMs: atMs, principal: actor });
}
