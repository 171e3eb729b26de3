import { orderedLimits } from '#base/model/limits';
import { parseNamespaceId } from '#base/model/namespace-id';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal } from '#base/model/refusals';
import { fingerprintsOfCertificates, parseCaBundle } from '#base/pki/ca-bundle';
import { parseCertificateFilters } from '#base/pki/certificate-filter';
import type { Clock } from '#base/runtime/clock';
import type { Directory } from '#base/store/directory';
import { publicRoots } from '#base/wire/public-roots';
import type { AuditWriter } from '#core/audit/audit-writer';
import type { EngineHandle } from '#core/engine/engine-handle';
import { registerNamespace } from '#core/engine/register-namespace';
import { setRetention } from '#core/engine/set-retention';
import { adminEvent } from './admin-event.ts';
import { changeEncryption, createKeyGiving, type KeyGiving } from './apply-encryption.ts';
import { encryptionProblems } from './judge-encryption.ts';
import type { NamespaceFault, WantedNamespace } from './wanted-namespace.ts';

const RETENTION_DAYS = 30;

/**
 * Judges what is new in wanted namespaces by the rules of Temporal Cloud. What the directory holds already is
 * not judged again: a CA that expires must not keep the platform from starting.
 */
export function judgeNamespaces(
  directory: Directory,
  wanted: readonly WantedNamespace[],
  nowMs: number,
): readonly NamespaceFault[] {
  const stored = directory.snapshot().namespaces;
  return wanted.flatMap((namespace, index): NamespaceFault[] => {
    const filters = namespace.certificateFilters ?? [];
    const faults: NamespaceFault[] = [];
    const judge = (field: NamespaceFault['field'], work: () => unknown): void => {
      const problem = refusalOf(work);
      if (problem !== undefined) faults.push({ index, field, problem });
    };
    judge('certificateFilters', () => parseCertificateFilters(filters));
    faults.push(...encryptionProblems(namespace).map((problem) => ({ index, ...problem })));
    if (stored.get(namespace.id)?.caBundlePem !== namespace.caPem) {
      judge('caPem', () =>
        parseCaBundle(namespace.caPem, {
          nowMs,
          hasFilters: filters.length > 0,
          publicRootFingerprints: publicRootFingerprints(),
        }),
      );
    }
    return faults;
  });
}

let fingerprints: ReadonlySet<string> | undefined;

/** Read on first use: over a hundred certificates, needed only where a bundle is new. */
function publicRootFingerprints(): ReadonlySet<string> {
  fingerprints ??= fingerprintsOfCertificates(publicRoots);
  return fingerprints;
}

function refusalOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

export interface ApplyParts {
  readonly directory: Directory;
  readonly engine: EngineHandle;
  readonly audit: AuditWriter;
  readonly clock: Clock;
  readonly region: string;
  /**
   * Gives a namespace its first keys, or finds them. Asked for every sealed namespace at each apply; for one
   * that is to be sealed from now on before that is written, with its record as it will be.
   */
  readonly ensureKeys?: (record: NamespaceRecord) => Promise<void>;
}

/**
 * Makes namespaces as wanted, in the directory and in the engine, and records each change. Judge them first.
 * Can be repeated after a failure: what is so already is left alone. A namespace whose keys cannot be made
 * stays out of the engine and keeps no other from being applied.
 * @returns what was changed, one text each. @throws Refusal `directory_unavailable`, EngineError; at the end,
 * what `ensureKeys` threw first.
 */
export async function applyNamespaces(
  parts: ApplyParts,
  wanted: readonly WantedNamespace[],
): Promise<readonly string[]> {
  const keys = createKeyGiving(parts.ensureKeys);
  const changes: string[] = [];
  for (const namespace of wanted) {
    const stored = parts.directory.snapshot().namespaces.get(namespace.id);
    const fields =
      stored === undefined ? await make(parts, namespace) : await change(parts, namespace, stored, keys);
    if (fields.length === 0) continue;
    const verb = stored === undefined ? 'namespace.create' : 'namespace.update';
    const detail = fields.join(', ');
    parts.audit.append(
      adminEvent(parts.clock, { method: verb, outcome: 'ok', namespace: namespace.id, detail }),
    );
    changes.push(`${namespace.id}: ${detail}`);
  }
  for (const record of parts.directory.snapshot().namespaces.values()) {
    if (record.region === parts.region && record.sealing !== 'off') await keys.give(record);
  }
  await registerAll(parts, keys.without);
  if (keys.failure !== undefined) throw keys.failure;
  return changes;
}

/** Every namespace of this region that the engine does not know yet and that can be served. */
async function registerAll(
  { directory, engine, region }: ApplyParts,
  without: ReadonlySet<string>,
): Promise<void> {
  for (const record of directory.snapshot().namespaces.values()) {
    if (record.region !== region || record.engineId !== null || without.has(record.id)) continue;
    const { engineId, existed } = await registerNamespace(engine, {
      id: record.id,
      retentionDays: record.retentionDays,
    });
    // What it holds was stored before there was a gateway, and must stay readable.
    const open = existed && record.sealing === 'on';
    const { revision } = open
      ? await directory.write.setEncryption(record.id, { sealing: 'migrate' }, record.revision)
      : record;
    await directory.write.setEngineId(record.id, engineId, revision);
  }
}

async function make({ directory, region }: ApplyParts, wanted: WantedNamespace): Promise<readonly string[]> {
  await directory.write.createAccount(parseNamespaceId(wanted.id).account).catch(ignoreExisting);
  await directory.write.createNamespace({
    id: wanted.id,
    region,
    retentionDays: wanted.retentionDays ?? RETENTION_DAYS,
    caBundlePem: wanted.caPem,
    certificateFilters: wanted.certificateFilters ?? [],
    allowTls12: wanted.allowTls12 ?? false,
    nexusEndpoints: wanted.nexusEndpoints ?? [],
    auditMode: wanted.auditMode ?? 'relaxed',
    limits: wanted.limits ?? {},
    ...wanted.encryption,
  });
  return ['created'];
}

/** @returns the fields that differed and were written. */
async function change(
  { directory, engine }: ApplyParts,
  wanted: WantedNamespace,
  stored: NamespaceRecord,
  keys: KeyGiving,
): Promise<readonly string[]> {
  const { id } = wanted;
  const { write } = directory;
  const fields: string[] = [];
  const set = async <T>(
    name: string,
    value: T | undefined,
    old: T,
    store: (value: T) => Promise<unknown>,
  ) => {
    if (value === undefined || JSON.stringify(value) === JSON.stringify(old)) return;
    await store(value);
    fields.push(name);
  };
  // Tightening first: between two writes a certificate must not pass that neither the old nor the new state admits.
  const { certificateFilters: filters = stored.certificateFilters } = wanted;
  const filtersFirst = filters.length > 0;
  const setFilters = () =>
    set('certificateFilters', filters, stored.certificateFilters, (value) =>
      write.setCertificateFilters(id, value),
    );
  if (filtersFirst) await setFilters();
  await set('caBundle', wanted.caPem, stored.caBundlePem, (value) => write.setCaBundle(id, value));
  if (!filtersFirst) await setFilters();
  await set('allowTls12', wanted.allowTls12, stored.allowTls12, (allowTls12) =>
    write.setTlsPolicy(id, { allowTls12 }),
  );
  await set('nexusEndpoints', wanted.nexusEndpoints, stored.nexusEndpoints, (value) =>
    write.setNexusEndpoints(id, value),
  );
  await set('auditMode', wanted.auditMode, stored.auditMode, (value) => write.setAuditMode(id, value));
  const limits = wanted.limits === undefined ? undefined : orderedLimits(wanted.limits);
  await set('limits', limits, stored.limits, (value) => write.setLimits(id, value));
  await set('retentionDays', wanted.retentionDays, stored.retentionDays, async (retentionDays) => {
    // The engine first: it is the one that deletes.
    if (stored.engineId !== null) await setRetention(engine, { id, retentionDays });
    await write.setRetentionDays(id, retentionDays);
  });
  fields.push(...(await changeEncryption(directory, wanted.encryption ?? {}, stored, keys)));
  return fields;
}

/** An account is made by the first of its namespaces. */
function ignoreExisting(error: unknown): void {
  if (!(error instanceof Refusal) || error.code !== 'input_invalid') throw error;
}
