import type { CertificateFilter } from '#base/model/certificate-filter';
import { type NamespaceLimits, namespaceLimitRules, orderedLimits } from '#base/model/limits';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { NamespaceTable } from './database/schema.ts';

/**
 * A row as the data plane reads it, frozen all through.
 * @throws Error naming the column where the row holds what this version cannot read.
 */
export function recordOfRow(row: NamespaceTable): NamespaceRecord {
  return freezeRecord({
    id: row.id,
    uuid: row.uuid,
    account: row.account,
    region: row.region,
    state: oneOf('state', row.state, ['active', 'suspended', 'deleted']),
    retentionDays: row.retention_days,
    engineId: row.engine_id,
    caBundlePem: row.ca_bundle_pem,
    certificateFilters: listOf<CertificateFilter>('certificate_filters', row.certificate_filters, isFilter),
    allowTls12: row.allow_tls12 === 1,
    nexusEndpoints: listOf<string>('nexus_endpoints', row.nexus_endpoints, isText),
    nexusPeers: listOf<string>('nexus_peers', row.nexus_peers, isText),
    auditMode: oneOf('audit_mode', row.audit_mode, ['relaxed', 'strict']),
    sealing: oneOf('sealing', row.sealing, ['off', 'migrate', 'on']),
    sealedAttributes: listOf<string>('sealed_attributes', row.sealed_attributes, isText),
    kmsKey: row.kms_key,
    clientEncryption: oneOf('client_encryption', row.client_encryption, ['off', 'report', 'require']),
    plaintextAllowed: listOf<string>('plaintext_allowed', row.plaintext_allowed, isText),
    limits: limitsOf(row.limits),
    revision: row.revision,
  });
}

export function freezeRecord(record: NamespaceRecord): NamespaceRecord {
  for (const filter of record.certificateFilters) Object.freeze(filter);
  Object.freeze(record.certificateFilters);
  Object.freeze(record.nexusEndpoints);
  Object.freeze(record.nexusPeers);
  Object.freeze(record.sealedAttributes);
  Object.freeze(record.plaintextAllowed);
  Object.freeze(record.limits);
  return Object.freeze(record);
}

/** Both were made by {@link recordOfRow}, so their fields stand in the same order. */
export function isSameRecord(a: NamespaceRecord, b: NamespaceRecord): boolean {
  return a === b || (a.revision === b.revision && JSON.stringify(a) === JSON.stringify(b));
}

/** @throws Error naming the column where the row holds another word. */
export function oneOf<T extends string>(column: string, value: string, words: readonly T[]): T {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new Error(`column ${column} holds an unknown word`);
  return found;
}

function limitsOf(text: string): Partial<NamespaceLimits> {
  const value = jsonOf('limits', text);
  if (!isLimits(value)) throw new Error('column limits holds a limit that is not known');
  return orderedLimits(value);
}

/** An unknown limit would be one left out, which lets more through: the row is refused. */
export function isLimits(value: unknown): value is Partial<NamespaceLimits> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, limit]) => {
    const rule = Object.hasOwn(namespaceLimitRules, key)
      ? namespaceLimitRules[key as keyof NamespaceLimits]
      : undefined;
    return rule !== undefined && Number.isInteger(limit) && limit >= rule.min && limit <= rule.max;
  });
}

function jsonOf(column: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`column ${column} is not JSON`, { cause });
  }
}

function listOf<T>(column: string, text: string, isItem: (value: unknown) => value is T): readonly T[] {
  const value = jsonOf(column, text);
  if (!Array.isArray(value) || !value.every(isItem)) throw new Error(`column ${column} is not such a list`);
  return value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

const FILTER_FIELDS: ReadonlySet<string> = new Set([
  'commonName',
  'organization',
  'organizationalUnit',
  'subjectAlternativeName',
] satisfies (keyof CertificateFilter)[]);

/** An unknown field would be a condition left out, which admits more: the row is refused. */
export function isFilter(value: unknown): value is CertificateFilter {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length > 0 && entries.every(([field, text]) => FILTER_FIELDS.has(field) && isText(text));
}
