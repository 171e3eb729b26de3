import type { CertificateFilter } from '#base/model/certificate-filter';
import { parseNamespaceId } from '#base/model/namespace-id';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { registerNamespace } from '#core/engine/register-namespace';
import type { House } from './house.ts';

export interface AddedNamespace {
  readonly id: string;
  readonly caPem: string;
  readonly certificateFilters?: readonly CertificateFilter[];
}

/** Makes a namespace in a running house, of any account, in the directory and in the engine. */
export async function addNamespace(house: House, wanted: AddedNamespace): Promise<NamespaceRecord> {
  const { directory, engine } = house.up.platform;
  const { account } = parseNamespaceId(wanted.id);
  const accounts = [...directory.snapshot().namespaces.values()].map((record) => record.account);
  if (!accounts.includes(account)) await directory.write.createAccount(account);
  await directory.write.createNamespace({
    id: wanted.id,
    region: house.endpoint.region,
    retentionDays: 1,
    caBundlePem: wanted.caPem,
    certificateFilters: wanted.certificateFilters ?? [],
    // Sealed ones need keys, and these are for doors.
    sealing: 'off',
  });
  const { engineId } = await registerNamespace(engine, { id: wanted.id, retentionDays: 1 });
  return await directory.write.setEngineId(wanted.id, engineId);
}
