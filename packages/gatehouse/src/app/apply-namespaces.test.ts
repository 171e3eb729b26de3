import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import type { AuditEvent } from '#base/model/audit-event';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { parseCaBundle } from '#base/pki/ca-bundle';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import type { Directory } from '#base/store/directory';
import { openDirectory } from '#base/store/open-directory';
import { publicRoots } from '#base/wire/public-roots';
import type { AuditWriter } from '#core/audit/audit-writer';
import type { EngineHandle } from '#core/engine/engine-handle';
import { type ApplyParts, applyNamespaces, judgeNamespaces } from './apply-namespaces.ts';
import type { WantedNamespace } from './wanted-namespace.ts';

const empty = {
  snapshot: () => ({ revision: 0, confirmedAtMs: 0, namespaces: new Map() }),
} as unknown as Directory;

/** A public root that is acceptable in every other way, so that being public is the one cause. */
function acceptablePublicRoot(nowMs: number): string {
  const found = publicRoots.find((pem) => {
    try {
      parseCaBundle(pem, { nowMs, hasFilters: false });
      return true;
    } catch {
      // Some public roots break another rule, such as the signature's hash.
      return false;
    }
  });
  return found ?? assert.fail('the runtime carries no acceptable public root');
}

test('T-014 a public CA is refused for a namespace without certificate filters, and taken with them', () => {
  const nowMs = Date.now();
  const caPem = acceptablePublicRoot(nowMs);
  const [fault] = judgeNamespaces(empty, [{ id: 'orders.acme1', caPem }], nowMs);
  assert.equal(fault?.field, 'caPem');
  const filtered = { id: 'orders.acme1', caPem, certificateFilters: [{ commonName: 'worker' }] };
  assert.deepEqual(judgeNamespaces(empty, [filtered], nowMs), []);
});

interface Site {
  readonly directory: Directory;
  readonly events: AuditEvent[];
  /** The records that keys were asked for, in order. */
  readonly asked: NamespaceRecord[];
  apply(wanted: readonly WantedNamespace[]): Promise<readonly string[]>;
  sealingOf(id: string): string | undefined;
}

const ORDERS = 'orders.acme1';

/**
 * A real directory without an engine: whoever gets keys is taken for registered, so that an attempt to register
 * a namespace before its keys, or without them, fails the test.
 */
async function openSite(t: TestContext, failFor: (id: string) => boolean = () => false): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-apply-'));
  const kms = await openLocalKms(join(folder, 'kms.key'));
  const directory = await openDirectory({
    database: { kind: 'sqlite', path: join(folder, 'directory.db') },
    kms,
    cachePath: join(folder, 'copy'),
    clock: systemClock,
    log: silentLog,
  });
  t.after(async () => {
    await directory.close();
    await rm(folder, { recursive: true });
  });
  const events: AuditEvent[] = [];
  const asked: NamespaceRecord[] = [];
  const parts: ApplyParts = {
    directory,
    engine: {} as EngineHandle,
    audit: { append: (event: AuditEvent) => events.push(event) } as unknown as AuditWriter,
    clock: systemClock,
    region: 'aws-local',
    async ensureKeys(record) {
      asked.push(record);
      if (failFor(record.id)) throw new Error(`no KMS for ${record.id}`);
      if (record.engineId === null) await directory.write.setEngineId(record.id, 'registered');
    },
  };
  return {
    directory,
    events,
    asked,
    apply: (wanted) => applyNamespaces(parts, wanted),
    sealingOf: (id) => directory.snapshot().namespaces.get(id)?.sealing,
  };
}

/** A namespace as it was before there was sealing. */
async function makeUnsealed({ directory }: Site): Promise<void> {
  await directory.write.createAccount('acme1');
  await directory.write.createNamespace({
    id: ORDERS,
    region: 'aws-local',
    retentionDays: 30,
    sealing: 'off',
    engineId: 'registered',
  });
}

const wanted = (encryption?: WantedNamespace['encryption']): WantedNamespace[] => [
  { id: ORDERS, caPem: '', ...(encryption === undefined ? {} : { encryption }) },
];

test('a new namespace is sealed, and has its keys before the engine knows it', async (t) => {
  const site = await openSite(t);
  assert.deepEqual(await site.apply(wanted()), [`${ORDERS}: created`]);
  assert.equal(site.sealingOf(ORDERS), 'on');
  assert.deepEqual(
    site.asked.map(({ id, engineId }) => [id, engineId]),
    [[ORDERS, null]],
  );
  assert.deepEqual(await site.apply(wanted({ sealing: 'on' })), []);
  assert.equal(site.asked.length, 2, 'looked for again at each apply');
});

test('a namespace that exists unsealed is never switched to on: it migrates, says so, and stays', async (t) => {
  const site = await openSite(t);
  await makeUnsealed(site);
  assert.deepEqual(await site.apply(wanted()), [], 'what is left out keeps its value');
  assert.equal(site.asked.length, 0);
  const said = `sealing migrate (what was stored before stays readable until \`gatehouse keys seal\`)`;
  assert.deepEqual(await site.apply(wanted({ sealing: 'on' })), [`${ORDERS}: ${said}`]);
  assert.equal(site.events.at(-1)?.detail, said);
  assert.equal(site.asked[0]?.sealing, 'migrate', 'keys for the record as it will be');
  assert.deepEqual(await site.apply(wanted({ sealing: 'on' })), []);
  assert.equal(site.sealingOf(ORDERS), 'migrate');
  await site.directory.write.setEncryption(ORDERS, { sealing: 'on' });
  assert.deepEqual(await site.apply(wanted({ sealing: 'on' })), []);
  assert.equal(site.sealingOf(ORDERS), 'on', 'closed by its operator, it stays closed');
  assert.deepEqual(await site.apply(wanted({ sealing: 'off' })), [`${ORDERS}: sealing off`]);
  await site.apply(wanted({ sealing: 'on' }));
  assert.equal(site.sealingOf(ORDERS), 'migrate', 'what was stored meanwhile is plaintext again');
});

test('each encryption setting that differs is written and named, and no other', async (t) => {
  const site = await openSite(t);
  const settings = { sealing: 'on', kmsKey: 'acme', sealedAttributes: ['CustomerId'] } as const;
  await site.apply(wanted({ ...settings, clientEncryption: 'off', plaintextAllowed: [] }));
  const record = site.directory.snapshot().namespaces.get(ORDERS);
  assert.deepEqual([record?.kmsKey, record?.sealedAttributes], ['acme', ['CustomerId']]);
  const next = {
    ...settings,
    sealedAttributes: [],
    clientEncryption: 'require',
    plaintextAllowed: ['memo'],
  } as const;
  assert.deepEqual(await site.apply(wanted(next)), [
    `${ORDERS}: sealedAttributes, clientEncryption, plaintextAllowed`,
  ]);
  assert.equal(site.directory.snapshot().namespaces.get(ORDERS)?.clientEncryption, 'require');
  assert.equal(site.sealingOf(ORDERS), 'on');
});

test('without keys a namespace is neither switched nor registered, and the others are applied', async (t) => {
  const site = await openSite(t, (id) => id !== 'other.acme1');
  await makeUnsealed(site);
  const list: WantedNamespace[] = [
    ...wanted({ sealing: 'on' }),
    { id: 'fresh.acme1', caPem: '' },
    { id: 'other.acme1', caPem: '' },
  ];
  await assert.rejects(site.apply(list), /no KMS for orders\.acme1/);
  assert.equal(site.sealingOf(ORDERS), 'off');
  const { namespaces } = site.directory.snapshot();
  assert.equal(namespaces.get('fresh.acme1')?.engineId, null);
  assert.equal(namespaces.get('other.acme1')?.engineId, 'registered');
});
