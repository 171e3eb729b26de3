import type { Kms } from '../kms.ts';
import { openLocalKms } from '../local-kms.ts';
import { openFramedKms } from './framed-kms.ts';
import type { KeyService } from './key-service.ts';
import type { KmsDeps, KmsSpec } from './kms-spec.ts';

export type { KmsDeps, KmsSpec } from './kms-spec.ts';

/** Long enough for a call across a continent on a bad day, short enough for a caller who waits for two of them. */
const TIMEOUT_MS = 5000;

/**
 * Opens the KMS of a configuration. It is not asked anything yet: one that is down at the start is a call that
 * fails later, and recovers by itself.
 * @throws Error that names the setting, the problem and the fix, where the configuration cannot work as it is.
 */
export async function openKms(spec: KmsSpec, deps: KmsDeps): Promise<Kms> {
  if (spec.kind === 'local') return await openLocalKms(spec.keyFile);
  const timeoutMs = deps.timeoutMs ?? TIMEOUT_MS;
  return openFramedKms(await openService(spec, deps, timeoutMs), timeoutMs);
}

/** Each adapter is loaded when it is asked for: what serves one cloud is not to start slowly for four. */
async function openService(
  spec: Exclude<KmsSpec, { kind: 'local' }>,
  deps: KmsDeps,
  timeoutMs: number,
): Promise<KeyService> {
  switch (spec.kind) {
    case 'vault':
      return await (await import('./vault-kms.ts')).openVaultKms(spec, { log: deps.log, timeoutMs });
    case 'aws':
      return await (await import('./aws-kms.ts')).openAwsKms(spec);
    case 'gcp':
      return await (await import('./gcp-kms.ts')).openGcpKms(spec);
    case 'azure':
      return await (await import('./azure-kms.ts')).openAzureKms(spec);
    case 'pkcs11':
      return await (await import('./pkcs11/pkcs11-kms.ts')).openPkcs11Kms(spec, { log: deps.log, timeoutMs });
  }
}
