import { stat } from 'node:fs/promises';
import { openLocalKms } from '#base/crypto/local-kms';
import { type FieldOpener, noKeys, openFieldOpener } from '#core/audit/fields/field-opener';
import { homeAt } from './home.ts';

/**
 * What opens the sealed fields of a home's audit chain, wherever a copy of the chain lies. Without that home
 * at hand it opens nothing, and nothing is made.
 * @throws Error with the problem and the fix where the home's key file is unfit.
 */
export async function openAuditFields(root: string): Promise<FieldOpener> {
  const home = homeAt(root);
  const isThere = await stat(home.kmsKeyFile).then(
    () => true,
    () => false,
  );
  if (!isThere) return noKeys;
  return await openFieldOpener(home.auditDataKeys, await openLocalKms(home.kmsKeyFile));
}
