import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import { type FaultProxy, startFaultProxy } from '#testing/fault-proxy';
import { type GcpKmsStub, startGcpKmsStub } from '#testing/gcp-kms-stub';
import { kmsConformance } from '#testing/kms-conformance';
import { PROXY_OUTAGES, proxiedKms } from '#testing/proxied-kms';
import { type Kms, KmsKeyDisabledError, KmsUnavailableError } from '../kms.ts';
import { Secret } from '../secret.ts';
import { crc32c } from './crc32c.ts';
import { openKms } from './open-kms.ts';

const KEY = 'projects/p1/locations/europe-west1/keyRings/gatehouse/cryptoKeys/payloads';
const OTHER = 'projects/p1/locations/europe-west1/keyRings/gatehouse/cryptoKeys/other';
const SUBJECT = 'subject-token-of-the-workload';
const TIMEOUT_MS = 1000;

// Google's library takes the way of this machine's proxy, also to the loopback.
for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) delete process.env[name];

interface Site {
  readonly stub: GcpKmsStub;
  readonly proxy: FaultProxy;
  open(key: string): Promise<Kms>;
  close(): Promise<void>;
}

/** Google's own library, with a credential of workload identity whose token service is the stub. */
async function openSite(): Promise<Site> {
  const stub = await startGcpKmsStub();
  const proxy = await startFaultProxy(stub.address);
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-gcp-'));
  const credentialsFile = join(folder, 'credentials.json');
  await writeFile(join(folder, 'subject'), SUBJECT, { mode: 0o600 });
  const credential = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${stub.address}/token`,
    credential_source: { file: join(folder, 'subject') },
  };
  await writeFile(credentialsFile, JSON.stringify(credential), { mode: 0o600 });
  stub.createKey(KEY);
  stub.createKey(OTHER);
  return {
    stub,
    proxy,
    open: (key) =>
      openKms(
        { kind: 'gcp', key, endpoint: proxy.address, credentialsFile },
        { log: silentLog, timeoutMs: TIMEOUT_MS },
      ),
    async close() {
      await proxy.close();
      await stub.close();
      await rm(folder, { recursive: true });
    },
  };
}

const states = {
  'version disabled': 'DISABLED',
  'version destroyed': 'DESTROYED',
  'no permission': 'FORBIDDEN',
} as const;

kmsConformance(
  'gcp (stub)',
  { outages: PROXY_OUTAGES, disablings: Object.keys(states), hasVersions: true, canLie: true },
  async () => {
    const site = await openSite();
    const proxied = proxiedKms(site.proxy, (url) => url.endsWith(':decrypt'));
    return {
      ...proxied,
      open: () => site.open(KEY),
      openOther: () => site.open(OTHER),
      timeoutMs: TIMEOUT_MS,
      secrets: [SUBJECT, 'gcp-access-'],
      logLines: [],
      rotate: async () => site.stub.rotate(KEY),
      begin(trouble) {
        const state = Object.entries(states).find(([name]) => name === trouble)?.[1];
        if (state === undefined) return proxied.begin(trouble);
        return site.stub.setState(KEY, state);
      },
      end(trouble) {
        site.stub.setState(KEY, 'ENABLED');
        return proxied.end(trouble);
      },
      close: site.close,
    };
  },
);

let site: Site;
let kms: Kms;
before(async () => {
  site = await openSite();
  kms = await site.open(KEY);
});
after(async () => {
  await kms?.close();
  await site?.close();
});

test('the sum is CRC-32C, by the vectors of RFC 3720 appendix B.4', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd794e);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('a damaged answer, and one to damaged words, is no answer', async () => {
  const wrapped = await kms.wrap(new Secret(Buffer.from('key')), 'row');
  site.stub.damage('sum');
  await assert.rejects(kms.unwrap(wrapped, 'row'), KmsUnavailableError);
  await assert.rejects(kms.wrap(new Secret(Buffer.from('key')), 'row'), KmsUnavailableError);
  site.stub.damage('unverified');
  await assert.rejects(kms.wrap(new Secret(Buffer.from('key')), 'row'), KmsUnavailableError);
  site.stub.damage('none');
  assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), 'key');
});

test('a token that was revoked is replaced within the call', async () => {
  const wrapped = await kms.wrap(new Secret(Buffer.from('key')), 'row');
  site.stub.revokeTokens();
  assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), 'key');
});

test('a key that does not exist is not used', async () => {
  const missing = await site.open(`${KEY}-missing`);
  await assert.rejects(missing.wrap(new Secret(Buffer.from('key')), 'row'), KmsKeyDisabledError);
});

test('a key that is no key of Google, or names a version, is refused at the start', async () => {
  for (const key of ['payloads', `${KEY}/cryptoKeyVersions/1`, `${KEY}:decrypt`, `${KEY}/../x`]) {
    await assert.rejects(site.open(key), /gcp key must be projects\//);
  }
});

test('T-100 a credentials file that cannot be read is refused at the start, by name', async () => {
  const spec = { kind: 'gcp', key: KEY, credentialsFile: '/nonexistent/credentials.json' } as const;
  await assert.rejects(
    openKms(spec, { log: silentLog }),
    /gcp credentialsFile \/nonexistent\/credentials.json/,
  );
});
