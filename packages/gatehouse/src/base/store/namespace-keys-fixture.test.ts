// No test itself: namespaces of an account, and rows of keys for them.
import { randomBytes } from 'node:crypto';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Directory, WrappedNamespaceKey } from './directory.ts';
import { namespace } from './directory-fixture.test.ts';

/** Makes a namespace, and its account where there is none. */
export async function makeNamespace(directory: Directory, id = 'orders.local'): Promise<NamespaceRecord> {
  await directory.write.createAccount('local').catch(() => undefined);
  return directory.write.createNamespace(namespace(id));
}

/** A new key of the namespace; what wraps it is random bytes. */
export function keyOf(
  { uuid }: Pick<NamespaceRecord, 'uuid'>,
  more: Partial<WrappedNamespaceKey> = {},
): WrappedNamespaceKey {
  return {
    id: randomBytes(8).toString('hex'),
    namespaceUuid: uuid,
    purpose: 'payload',
    createdAtMs: 1,
    kmsKeyId: 'local:test',
    wrapped: randomBytes(60).toString('base64'),
    state: 'active',
    ...more,
  };
}
