import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import { type FaultProxy, startFaultProxy } from '#testing/fault-proxy';
import { type KeyVaultStub, startKeyVaultStub } from '#testing/key-vault-stub';
import { kmsConformance } from '#testing/kms-conformance';
import { PROXY_OUTAGES, proxiedKms } from '#testing/proxied-kms';
import { type Kms, KmsKeyDisabledError } from '../kms.ts';
import { Secret } from '../secret.ts';
import type { KmsSpec } from './kms-spec.ts';
import { openKms } from './open-kms.ts';

const application = {
  tenantId: 'contoso.example',
  clientId: 'gatehouse',
  clientSecret: 'client-secret-of-the-test',
};
const TIMEOUT_MS = 1000;

interface Site {
  readonly stub: KeyVaultStub;
  readonly proxy: FaultProxy;
  spec(key: string): Extract<KmsSpec, { kind: 'azure' }>;
  open(key: string): Promise<Kms>;
  close(): Promise<void>;
}

async function openSite(): Promise<Site> {
  const stub = await startKeyVaultStub(application);
  const proxy = await startFaultProxy(stub.address);
  stub.createKey('payloads');
  stub.createKey('other');
  const spec: Site['spec'] = (key) => ({
    kind: 'azure',
    vaultUrl: `${proxy.address}/`,
    key,
    tenantId: application.tenantId,
    clientId: application.clientId,
    clientSecret: new Secret(Buffer.from(application.clientSecret)),
    authorityHost: stub.address,
  });
  return {
    stub,
    proxy,
    spec,
    open: (key) => openKms(spec(key), { log: silentLog, timeoutMs: TIMEOUT_MS }),
    async close() {
      await proxy.close();
      await stub.close();
    },
  };
}

const states = {
  'key disabled': 'disabled',
  'key deleted': 'deleted',
  'no permission': 'forbidden',
} as const;

kmsConformance(
  'azure (stub)',
  {
    outages: PROXY_OUTAGES,
    disablings: Object.keys(states),
    hasVersions: true,
    canLie: true,
    // What was wrapped names its version, and another key has none of that name.
    otherKeyError: 'KmsKeyDisabledError',
  },
  async () => {
    const site = await openSite();
    const proxied = proxiedKms(site.proxy, (url) => url.includes('/unwrapkey'));
    return {
      ...proxied,
      open: () => site.open('payloads'),
      openOther: () => site.open('other'),
      timeoutMs: TIMEOUT_MS,
      secrets: [application.clientSecret, 'entra-access-'],
      logLines: [],
      rotate: async () => site.stub.rotate('payloads'),
      begin(trouble) {
        const state = Object.entries(states).find(([name]) => name === trouble)?.[1];
        if (state === undefined) return proxied.begin(trouble);
        return site.stub.setState('payloads', state);
      },
      end(trouble) {
        site.stub.setState('payloads', 'enabled');
        return proxied.end(trouble);
      },
      close: site.close,
    };
  },
);

let site: Site;
before(async () => {
  site = await openSite();
});
after(() => site.close());

const key = (): Secret => new Secret(Buffer.from('key'));

test('one token serves many calls, and one that was revoked is replaced within the call', async () => {
  const kms = await site.open('payloads');
  const wrapped = await kms.wrap(key(), 'row');
  await kms.unwrap(wrapped, 'row');
  assert.equal(site.stub.tokens.length, 1);
  site.stub.revokeTokens();
  assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), 'key');
  assert.equal(site.stub.tokens.length, 2);
  await kms.close();
});

test('F-07 credentials that are refused are told apart from a KMS that is down', async () => {
  const spec = { ...site.spec('payloads'), clientSecret: new Secret(Buffer.from('wrong')) };
  const kms = await openKms(spec, { log: silentLog, timeoutMs: TIMEOUT_MS });
  await assert.rejects(kms.wrap(key(), 'row'), (error) => {
    assert.ok(error instanceof KmsKeyDisabledError);
    assert.match(error.message, /credentials are refused/);
    return true;
  });
  await kms.close();
});

test('a version that is asked for is the one that wraps, and its name is part of the key’s', async () => {
  const open = async (version: string) =>
    await openKms({ ...site.spec('payloads'), version }, { log: silentLog, timeoutMs: TIMEOUT_MS });
  const kms = await open('00000000000000000000000000000000');
  assert.match(kms.keyId, /^azure:http:\/\/127\.0\.0\.1:\d+\/keys\/payloads\/0{32}$/);
  await assert.rejects(kms.wrap(key(), 'row'), KmsKeyDisabledError);
  await assert.rejects(open('../other'), /azure version may hold/);
});

test('a secret without the application that it is of is refused at the start', async () => {
  const { tenantId: _, ...spec } = site.spec('payloads');
  await assert.rejects(openKms(spec, { log: silentLog }), /clientSecret needs tenantId and clientId/);
});
