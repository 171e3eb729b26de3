import type { NamespaceRecord } from '#base/model/namespace-record';

/** A record as the directory gives it, of a namespace that is active and for which nothing is switched on. */
export function namespaceRecord(
  chosen: Pick<NamespaceRecord, 'id' | 'uuid'> & Partial<NamespaceRecord>,
): NamespaceRecord {
  return Object.freeze({
    account: chosen.id.slice(chosen.id.indexOf('.') + 1),
    region: 'aws-local',
    state: 'active',
    retentionDays: 1,
    engineId: null,
    caBundlePem: '',
    certificateFilters: [],
    allowTls12: false,
    nexusEndpoints: [],
    auditMode: 'relaxed',
    sealing: 'off',
    sealedAttributes: [],
    kmsKey: '',
    clientEncryption: 'off',
    plaintextAllowed: [],
    limits: {},
    revision: 1,
    ...chosen,
  } satisfies NamespaceRecord);
}
