import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type Kms,
  KmsKeyDisabledError,
  KmsUnavailableError,
} from '../../packages/gatehouse/src/base/crypto/kms.ts';
import { type KmsSpec, openKms } from '../../packages/gatehouse/src/base/crypto/kms-adapters/open-kms.ts';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import {
  generateInternalCa,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import { createLog } from '../../packages/gatehouse/src/base/runtime/log.ts';
import { type FaultProxy, startFaultProxy } from '../../packages/gatehouse/src/testing/fault-proxy.ts';
import { kmsConformance } from '../../packages/gatehouse/src/testing/kms-conformance.ts';
import { PROXY_OUTAGES, proxiedKms } from '../../packages/gatehouse/src/testing/proxied-kms.ts';
import { type OpenBao, startOpenBao } from '../parts/openbao.ts';
import { until } from './gatehouse-process.ts';

const TIMEOUT_MS = 1000;
/** The least that docs/kms.md says is needed. */
const policyOf = (key: string): string =>
  ['encrypt', 'decrypt']
    .map((verb) => `path "transit/${verb}/${key}" { capabilities = ["update"] }`)
    .join('\n');

let bao: OpenBao;
let proxy: FaultProxy;
let folder: string;
const logLines: string[] = [];
const log = createLog({ level: 'debug', write: (line) => logLines.push(line) });
const tokens: string[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-vault-'));
  const days = { validityMs: 86_400_000, nowMs: Date.now() };
  const ca = await generateInternalCa({ commonName: 'vault CA', ...days });
  const other = await generateInternalCa({ commonName: 'another CA', ...days });
  const server = await generateServiceCertificate({
    ca,
    commonName: 'vault',
    dnsNames: ['localhost'],
    usages: ['serverAuth'],
    ...days,
  });
  const files = { 'ca.pem': ca, 'other-ca.pem': other, 'server.pem': server };
  for (const [name, pair] of Object.entries(files)) await writeFile(join(folder, name), pair.certificatePem);
  await writeFile(join(folder, 'server.key'), server.privateKeyPem, { mode: 0o600 });
  bao = await startOpenBao({
    tls: { certificateFile: join(folder, 'server.pem'), keyFile: join(folder, 'server.key') },
  });
  proxy = await startFaultProxy(bao.address);
  for (const key of ['payloads', 'other']) {
    await bao.call('POST', `transit/keys/${key}`, { type: 'aes256-gcm96' });
    await bao.call('PUT', `sys/policies/acl/${key}`, { policy: policyOf(key) });
  }
});

after(async () => {
  await proxy?.close();
  await bao?.close();
  await rm(folder, { recursive: true });
});

async function createToken(policy: string, more: object = { ttl: '1h' }): Promise<string> {
  const made = (await bao.call('POST', 'auth/token/create', { policies: [policy], ...more })) as {
    auth: { client_token: string };
  };
  tokens.push(made.auth.client_token);
  return made.auth.client_token;
}

async function open(change: Partial<Extract<KmsSpec, { kind: 'vault' }>> = {}): Promise<Kms> {
  const key = change.key ?? 'payloads';
  const token = change.token ?? new Secret(Buffer.from(`${await createTokenOnce(key)}\n`));
  return await openKms(
    { kind: 'vault', address: proxy.address, ...change, key, token },
    { log, timeoutMs: TIMEOUT_MS },
  );
}

const tokenOfPolicy = new Map<string, Promise<string>>();
function createTokenOnce(policy: string): Promise<string> {
  const made = tokenOfPolicy.get(policy) ?? createToken(policy);
  tokenOfPolicy.set(policy, made);
  return made;
}

const key = (): Secret => new Secret(Buffer.from('a namespace key'));

const troubles: Readonly<Record<string, { begin(): Promise<unknown>; end(): Promise<unknown> }>> = {
  'server killed': { begin: () => bao.kill(), end: () => bao.restart() },
  'server sealed': { begin: () => bao.call('PUT', 'sys/seal'), end: () => bao.unseal() },
  'key deleted': {
    begin: () => bao.call('DELETE', 'transit/keys/payloads/soft-delete'),
    end: () => bao.call('POST', 'transit/keys/payloads/soft-delete-restore'),
  },
  'no permission': {
    begin: () => bao.call('PUT', 'sys/policies/acl/payloads', { policy: policyOf('nothing') }),
    end: () => bao.call('PUT', 'sys/policies/acl/payloads', { policy: policyOf('payloads') }),
  },
};

kmsConformance(
  'vault (OpenBao)',
  {
    outages: [...PROXY_OUTAGES, 'server killed', 'server sealed'],
    disablings: ['key deleted', 'no permission'],
    hasVersions: true,
    canLie: true,
  },
  async () => {
    const proxied = proxiedKms(proxy, (url) => url.includes('/decrypt/'));
    await createTokenOnce('payloads');
    return {
      ...proxied,
      open: () => open(),
      openOther: () => open({ key: 'other' }),
      timeoutMs: TIMEOUT_MS,
      secrets: tokens,
      logLines,
      rotate: async () => {
        await bao.call('POST', 'transit/keys/payloads/rotate');
      },
      begin: async (trouble) => {
        const own = troubles[trouble];
        await (own === undefined ? proxied.begin(trouble) : own.begin());
      },
      end: async (trouble) => {
        const own = troubles[trouble];
        await (own === undefined ? proxied.end(trouble) : own.end());
      },
      close: async () => undefined,
    };
  },
);

test('F-06 a server killed with kill -9 in the middle of load: every call is right or unavailable, and nothing is lost', async () => {
  const kms = await open();
  const wrapped: Buffer[] = [];
  let isRunning = true;
  let failures = 0;
  const load = Array.from({ length: 8 }, async (_, worker) => {
    while (isRunning) {
      try {
        const made = await kms.wrap(key(), `row ${worker}`);
        assert.equal((await kms.unwrap(made, `row ${worker}`)).reveal().toString(), 'a namespace key');
        if (worker === 0) wrapped.push(made);
      } catch (error) {
        assert.ok(error instanceof KmsUnavailableError, String(error));
        failures += 1;
      }
    }
  });
  for (let round = 0; round < 2; round += 1) {
    const before = wrapped.length;
    await until('some calls', () => wrapped.length > before + 20);
    await bao.kill();
    await until('calls that fail', () => failures > round * 8);
    await bao.restart();
  }
  const before = wrapped.length;
  await until('calls again', () => wrapped.length > before + 20);
  isRunning = false;
  await Promise.all(load);
  for (const one of wrapped) {
    assert.equal((await kms.unwrap(one, 'row 0')).reveal().toString(), 'a namespace key');
  }
  await kms.close();
});

test('T-081a an old version that was disabled fails closed, and the new one goes on', async () => {
  const kms = await open({ key: 'other' });
  const old = await kms.wrap(key(), 'row');
  await bao.call('POST', 'transit/keys/other/rotate');
  await bao.call('POST', 'transit/keys/other/config', { min_decryption_version: 2 });
  await assert.rejects(kms.unwrap(old, 'row'), KmsKeyDisabledError);
  assert.equal(
    (await kms.unwrap(await kms.wrap(key(), 'row'), 'row')).reveal().toString(),
    'a namespace key',
  );
  await bao.call('POST', 'transit/keys/other/config', { min_decryption_version: 1 });
  assert.equal((await kms.unwrap(old, 'row')).reveal().toString(), 'a namespace key');
  await kms.close();
});

test('a token is renewed before it ends, again and again', async () => {
  const token = await createToken('payloads', { ttl: '2s', renewable: true });
  const kms = await open({ token: new Secret(Buffer.from(token)) });
  const wrapped = await kms.wrap(key(), 'row');
  const until = performance.now() + 6000;
  while (performance.now() < until) {
    assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), 'a namespace key');
  }
  await kms.close();
});

test('a renewal that finds the server away is tried again until it is back', async () => {
  const token = await createToken('payloads', { ttl: '6s', renewable: true });
  const kms = await open({ token: new Secret(Buffer.from(token)) });
  const wrapped = await kms.wrap(key(), 'row');
  const count = proxy.count;
  proxy.behave({ status: 500, body: '{}' });
  await until('a renewal that failed', () => proxy.count > count, 6000);
  proxy.behave('pass');
  const end = performance.now() + 8000;
  while (performance.now() < end) {
    assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), 'a namespace key');
  }
  await kms.close();
});

test('a token that cannot be renewed is used until it ends, and the log said when that is', async () => {
  const token = await createToken('payloads', { ttl: '3s', renewable: false });
  const kms = await open({ token: new Secret(Buffer.from(token)) });
  const wrapped = await kms.wrap(key(), 'row');
  await until('a warning', () =>
    logLines.some((line) => /cannot be renewed/.test(line) && /"secondsLeft":[23]/.test(line)),
  );
  await until('its end', () =>
    kms.unwrap(wrapped, 'row').then(
      () => false,
      (error) => error instanceof KmsKeyDisabledError,
    ),
  );
  await kms.close();
});

test('T-009 over TLS, the CA that was given decides, and the name is checked', async () => {
  const tls = bao.tlsAddress.replace('127.0.0.1', 'localhost');
  const good = await open({ address: tls, caFile: join(folder, 'ca.pem') });
  assert.equal(good.keyId, `vault:${tls}/transit/payloads`);
  assert.equal(
    (await good.unwrap(await good.wrap(key(), 'row'), 'row')).reveal().toString(),
    'a namespace key',
  );
  await good.close();
  const wrong = [
    { address: tls, caFile: join(folder, 'other-ca.pem') },
    { address: tls },
    { address: bao.tlsAddress, caFile: join(folder, 'ca.pem') },
  ];
  for (const change of wrong) {
    const kms = await open(change);
    await assert.rejects(kms.wrap(key(), 'row'), (error) => {
      assert.ok(error instanceof KmsUnavailableError);
      assert.match(error.message, /SELF_SIGNED|UNABLE_TO|ALTNAME/);
      return true;
    });
    await kms.close();
  }
});

test('a redirect is not followed, so that the token goes nowhere else', async () => {
  const kms = await open();
  let stolen = 0;
  const thief = await startFaultProxy(bao.address);
  proxy.behave({
    status: 307,
    body: '',
    headers: { location: `${thief.address}/v1/transit/encrypt/payloads` },
  });
  await assert.rejects(kms.wrap(key(), 'row'), KmsUnavailableError);
  proxy.behave('pass');
  stolen = thief.count;
  await thief.close();
  assert.equal(stolen, 0);
  await kms.close();
});

test('a key whose type binds no words is not used, and the reason says what to do', async () => {
  await bao.call('POST', 'transit/keys/rsa', { type: 'rsa-2048' });
  const kms = await open({ key: 'rsa', token: new Secret(Buffer.from(bao.rootToken)) });
  await assert.rejects(kms.wrap(key(), 'row'), (error) => {
    assert.ok(error instanceof KmsKeyDisabledError);
    assert.match(error.message, /aes256-gcm96/);
    return true;
  });
  await kms.close();
});

test('T-100 what cannot work is refused at the start, by the name of the setting', async () => {
  await assert.rejects(open({ address: 'http://vault.example' }), /vault address must begin with https/);
  await assert.rejects(open({ key: '../sys', token: new Secret(Buffer.from('x')) }), /vault key may hold/);
  await assert.rejects(open({ mount: 'a b' }), /vault mount may hold/);
  await assert.rejects(open({ caFile: join(folder, 'none.pem') }), /vault caFile .*none.pem cannot be read/);
});
