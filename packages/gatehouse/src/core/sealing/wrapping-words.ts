import { type Kms, UnwrapError } from '#base/crypto/kms';
import type { NamespaceKey, SealScope } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { WrappedNamespaceKey } from '#base/store/directory';

/** As long as the keys that are derived from it. */
export const NAMESPACE_KEY_BYTES = 32;

/**
 * The words that a namespace key is wrapped under. They say which row it belongs to, so a wrapped key that was
 * copied to another row, or whose row was changed, does not open (T-081b). None of the parts has a colon.
 */
export function wrappingWords(scope: SealScope, row: RowIdentity): string {
  const { region, account, namespaceUuid } = scope;
  return `namespace-key:1:${region}:${account}:${namespaceUuid}:${row.id}:${row.purpose}:${row.createdAtMs}`;
}

/** What a key's row is, whoever wraps it. */
export type RowIdentity = Pick<WrappedNamespaceKey, 'id' | 'purpose' | 'createdAtMs'>;

/** Where everything of a namespace belongs. */
export function scopeOf(record: NamespaceRecord): SealScope {
  return { region: record.region, account: record.account, namespaceUuid: record.uuid };
}

/** @returns base64. @throws what the KMS throws. */
export async function wrapNamespaceKey(kms: Kms, scope: SealScope, key: NamespaceKey): Promise<string> {
  return (await kms.wrap(key.key, wrappingWords(scope, key))).toString('base64');
}

/** The key of a row. @throws UnwrapError where it is not this row's key; what the KMS throws. */
export async function unwrapNamespaceKey(
  kms: Kms,
  scope: SealScope,
  row: WrappedNamespaceKey,
): Promise<NamespaceKey> {
  if (row.namespaceUuid !== scope.namespaceUuid) throw new UnwrapError();
  const key = await kms.unwrap(Buffer.from(row.wrapped, 'base64'), wrappingWords(scope, row));
  if (key.length === NAMESPACE_KEY_BYTES) {
    return { id: row.id, purpose: row.purpose, createdAtMs: row.createdAtMs, key };
  }
  key.destroy();
  throw new UnwrapError();
}
