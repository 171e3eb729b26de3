// No test itself: the keys of two namespaces, each with a KMS of its own.
import type { TestContext } from 'node:test';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { WrappedNamespaceKey } from '#base/store/directory';
import {
  createFakeKeyring,
  type FakeClock,
  type FakeDirectory,
  type FakeKeyring,
  type FakeKms,
  fakeClock,
  fakeDirectory,
  fakeKms,
  logLines,
  REGION,
  recordOf,
} from './keys-fixture.test.ts';
import { ensureNamespaceKeys, rotateNamespaceKey } from './make-namespace-keys.ts';
import { createNamespaceKeys, type NamespaceKeys, type NamespaceKeysOptions } from './namespace-keys.ts';

export interface Site {
  readonly directory: FakeDirectory;
  readonly clock: FakeClock;
  readonly kms: FakeKms;
  readonly other: FakeKms;
  readonly orders: NamespaceRecord;
  readonly bills: NamespaceRecord;
  readonly lines: { level: string; message: string }[];
  readonly keys: NamespaceKeys;
  get(record: NamespaceRecord): Promise<FakeKeyring>;
  rowsOf(record: NamespaceRecord): readonly WrappedNamespaceKey[];
  rotate(record: NamespaceRecord, kms?: FakeKms): Promise<WrappedNamespaceKey>;
}

/** `orders` is wrapped by `kms`, `bills` by `other`. */
export async function startSite(t: TestContext, options: Partial<NamespaceKeysOptions> = {}): Promise<Site> {
  const [orders, bills] = [recordOf('orders'), recordOf('bills')];
  const directory = fakeDirectory(orders, bills);
  const clock = fakeClock();
  const [kms, other] = [fakeKms('kms-one'), fakeKms('kms-two')];
  await ensureNamespaceKeys({ directory, clock, kms }, orders);
  await ensureNamespaceKeys({ directory, clock, kms: other }, bills);
  const { log, lines } = logLines();
  const keys = createNamespaceKeys({
    directory,
    clock,
    log,
    region: REGION,
    kmsOf: (id) => [kms, other].find(({ keyId }) => keyId === id),
    createKeyring: createFakeKeyring,
    random: () => 0.5,
    ...options,
  });
  t.after(() => keys.close());
  return {
    ...{ directory, clock, kms, other, orders, bills, lines, keys },
    get: async (record) => (await keys.get(record)) as FakeKeyring,
    rowsOf: (record) => directory.namespaceKeys(record.uuid),
    async rotate(record, by = kms) {
      const { row } = await rotateNamespaceKey({ directory, clock, kms: by }, record, 'payload');
      return row;
    },
  };
}
