import type { CertificateFilter } from '#base/model/certificate-filter';
import { orderedLimits } from '#base/model/limits';
import { isAccountId, parseNamespaceId } from '#base/model/namespace-id';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import { uuidV7 } from '#base/runtime/ids';
import { insertWord } from './admin-words.ts';
import type { NamespaceTable } from './database/schema.ts';
import type { DirectoryWriter, EncryptionSettings, NewNamespace } from './directory.ts';
import {
  checkCaBundle,
  checkEncryption,
  checkEndpoints,
  checkFilters,
  checkLimits,
  checkName,
  checkPeers,
  checkRegion,
  checkRetention,
} from './input-checks.ts';
import { createNamespaceKeyWriter } from './namespace-key-writer.ts';
import { recordOfRow } from './namespace-row.ts';
import type { WriteScope } from './write-transaction.ts';

/** The caller's own checks: they throw for what they do not take. */
export interface DirectoryChecks {
  readonly caBundle?: (pem: string) => void;
  readonly certificateFilters?: (filters: readonly CertificateFilter[]) => void;
}

export interface DirectoryWriterOptions {
  /** Runs one write and has this process' snapshot caught up when it returns. */
  readonly write: <T>(work: (scope: WriteScope) => Promise<T>) => Promise<T>;
  /** As the key writer's. */
  readonly purge: () => Promise<void>;
  readonly checks: DirectoryChecks;
  readonly clock: Clock;
}

type Changed = Partial<Omit<NamespaceTable, 'uuid' | 'id' | 'revision'>>;

export function createDirectoryWriter({
  write,
  purge,
  checks,
  clock,
}: DirectoryWriterOptions): DirectoryWriter {
  const change = (id: string, values: Changed, expected: number | undefined): Promise<NamespaceRecord> =>
    write((scope) => updateNamespace(scope, id, values, expected));
  const checkBundle = (pem: string): void => {
    checkCaBundle(pem);
    checks.caBundle?.(pem);
  };
  const checkAllFilters = (filters: readonly CertificateFilter[]): void => {
    checkFilters(filters);
    checks.certificateFilters?.(filters);
  };
  return {
    ...createNamespaceKeyWriter({ write, purge, clock }),
    async createAccount(id) {
      if (!isAccountId(id)) {
        throw refuse('input_invalid', { publicDetail: 'an account id is 5 to 32 of a-z and 0-9' });
      }
      await write((scope) => insertAccount(scope, id, clock.now()));
    },
    async createNamespace(namespace) {
      const row = rowOf(namespace, clock.now());
      checkBundle(row.ca_bundle_pem);
      checkAllFilters(namespace.certificateFilters ?? []);
      return write((scope) => insertNamespace(scope, row));
    },
    async setCaBundle(id, pem, expected) {
      checkBundle(pem);
      return change(id, { ca_bundle_pem: pem }, expected);
    },
    async setCertificateFilters(id, filters, expected) {
      checkAllFilters(filters);
      return change(id, { certificate_filters: JSON.stringify(filters) }, expected);
    },
    setState: (id, state, expected) => change(id, { state }, expected),
    setTlsPolicy: (id, { allowTls12 }, expected) => change(id, { allow_tls12: allowTls12 ? 1 : 0 }, expected),
    async setNexusEndpoints(id, endpoints, expected) {
      checkEndpoints(endpoints);
      return change(id, { nexus_endpoints: JSON.stringify(endpoints) }, expected);
    },
    addNexusPeers: (id, uuids) => write((scope) => insertNexusPeers(scope, id, uuids)),
    async setEngineId(id, engineId, expected) {
      checkName("the engine's id", engineId);
      return change(id, { engine_id: engineId }, expected);
    },
    async setRetentionDays(id, days, expected) {
      checkRetention(days);
      return change(id, { retention_days: days }, expected);
    },
    setAuditMode: (id, mode, expected) => change(id, { audit_mode: mode }, expected),
    async setLimits(id, limits, expected) {
      checkLimits(limits);
      return change(id, { limits: JSON.stringify(orderedLimits(limits)) }, expected);
    },
    async setEncryption(id, settings, expected, word) {
      checkEncryption(settings);
      return write(async (scope) => {
        const record = await updateNamespace(scope, id, encryptionColumns(settings), expected);
        if (word !== undefined) await insertWord(scope.transaction, word, clock.now());
        return record;
      });
    },
    leaveWord: (word) => write(({ transaction }) => insertWord(transaction, word, clock.now())),
    async deleteNamespace(id, expected) {
      await change(id, { state: 'deleted' }, expected);
    },
  };
}

function rowOf(namespace: NewNamespace, nowMs: number): Omit<NamespaceTable, 'revision'> {
  const { id, account } = parseNamespaceId(namespace.id);
  checkRegion(namespace.region);
  checkRetention(namespace.retentionDays);
  checkEndpoints(namespace.nexusEndpoints ?? []);
  if (namespace.engineId !== undefined) checkName("the engine's id", namespace.engineId);
  checkEncryption(namespace);
  checkLimits(namespace.limits ?? {});
  return {
    uuid: uuidV7(nowMs),
    id,
    account,
    region: namespace.region,
    state: 'active',
    retention_days: namespace.retentionDays,
    engine_id: namespace.engineId ?? null,
    ca_bundle_pem: namespace.caBundlePem ?? '',
    certificate_filters: JSON.stringify(namespace.certificateFilters ?? []),
    allow_tls12: namespace.allowTls12 === true ? 1 : 0,
    nexus_endpoints: JSON.stringify(namespace.nexusEndpoints ?? []),
    nexus_peers: '[]',
    audit_mode: namespace.auditMode ?? 'relaxed',
    sealing: namespace.sealing ?? 'on',
    sealed_attributes: JSON.stringify(namespace.sealedAttributes ?? []),
    kms_key: namespace.kmsKey ?? '',
    client_encryption: namespace.clientEncryption ?? 'off',
    plaintext_allowed: JSON.stringify(namespace.plaintextAllowed ?? []),
    limits: JSON.stringify(orderedLimits(namespace.limits ?? {})),
    created_at_ms: nowMs,
  };
}

/** The columns of what is given. */
function encryptionColumns(settings: EncryptionSettings): Changed {
  const { sealing, sealedAttributes, kmsKey, clientEncryption, plaintextAllowed } = settings;
  return {
    ...(sealing === undefined ? {} : { sealing }),
    ...(sealedAttributes === undefined ? {} : { sealed_attributes: JSON.stringify(sealedAttributes) }),
    ...(kmsKey === undefined ? {} : { kms_key: kmsKey }),
    ...(clientEncryption === undefined ? {} : { client_encryption: clientEncryption }),
    ...(plaintextAllowed === undefined ? {} : { plaintext_allowed: JSON.stringify(plaintextAllowed) }),
  };
}

async function insertAccount({ transaction, revision }: WriteScope, id: string, nowMs: number) {
  const made = await transaction
    .insertInto('accounts')
    .values({ id, created_at_ms: nowMs, revision })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (made === undefined) {
    throw refuse('input_invalid', { publicDetail: 'an account of this id exists already' });
  }
}

async function insertNamespace(
  { transaction, revision }: WriteScope,
  row: Omit<NamespaceTable, 'revision'>,
): Promise<NamespaceRecord> {
  // The counter's row is ours: what is read here stays true until the commit.
  const account = await transaction
    .selectFrom('accounts')
    .select('id')
    .where('id', '=', row.account)
    .executeTakeFirst();
  if (account === undefined) throw refuse('input_invalid', { publicDetail: 'the account does not exist' });
  const alive = await transaction
    .selectFrom('namespaces')
    .select('uuid')
    .where('id', '=', row.id)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  if (alive !== undefined) {
    throw refuse('input_invalid', { publicDetail: 'a namespace of this id exists already' });
  }
  const made = await transaction
    .insertInto('namespaces')
    .values({ ...row, revision })
    .returningAll()
    .executeTakeFirstOrThrow();
  return recordOfRow(made);
}

/** Reads and writes in one transaction, so that of two writers neither's are lost. */
async function insertNexusPeers(
  scope: WriteScope,
  id: string,
  uuids: readonly string[],
): Promise<NamespaceRecord> {
  const alive = await scope.transaction
    .selectFrom('namespaces')
    .select(['id', 'uuid', 'nexus_peers'])
    .where('state', '<>', 'deleted')
    .where((where) => where.or([where('id', '=', id), where('uuid', 'in', [...uuids, ''])]))
    .execute();
  const known = new Set(alive.map(({ uuid }) => uuid));
  if (!uuids.every((uuid) => known.has(uuid))) {
    throw refuse('input_invalid', { publicDetail: 'a Nexus peer that is no namespace' });
  }
  const held: readonly string[] = JSON.parse(alive.find((row) => row.id === id)?.nexus_peers ?? '[]');
  const peers = [...new Set([...held, ...uuids])];
  checkPeers(peers);
  return await updateNamespace(scope, id, { nexus_peers: JSON.stringify(peers) }, undefined);
}

async function updateNamespace(
  { transaction, revision }: WriteScope,
  id: string,
  values: Changed,
  expectedRevision: number | undefined,
): Promise<NamespaceRecord> {
  const alive = await transaction
    .selectFrom('namespaces')
    .select(['uuid', 'revision'])
    .where('id', '=', id)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  if (alive === undefined) throw refuse('namespace_unknown', { detail: 'a change of no namespace' });
  if (expectedRevision !== undefined && expectedRevision !== alive.revision) {
    throw refuse('input_invalid', {
      publicDetail: 'the namespace has changed since it was read; read it again and repeat the change',
    });
  }
  const changed = await transaction
    .updateTable('namespaces')
    .set({ ...values, revision })
    .where('uuid', '=', alive.uuid)
    .returningAll()
    .executeTakeFirstOrThrow();
  return recordOfRow(changed);
}
