import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CA_LIFE_MS, LEAF_LIFE_MS, openEnginePki } from './engine-pki.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-pki-'));
});
after(() => rm(root, { recursive: true, force: true }));

function fixedClock() {
  let nowMs = Date.UTC(2026, 10, 24);
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

async function certificate(folder: string, name: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(join(folder, `${name}.crt`)));
}

test('each leaf has the names and usages of its side, and chains to its own CA only', async () => {
  const folder = join(root, 'names');
  await openEnginePki({ folder, nexusEnabled: false, clock: fixedClock() });
  const internal = await certificate(folder, 'internal-ca');
  const gatewayCa = await certificate(folder, 'gateway-ca');
  const server = '1.3.6.1.5.5.7.3.1';
  const client = '1.3.6.1.5.5.7.3.2';
  for (const [name, issuer, other, san, usages] of [
    ['frontend', internal, gatewayCa, 'DNS:engine-frontend', [server]],
    ['internode', internal, gatewayCa, 'DNS:engine-internode', [server, client]],
    ['gateway', gatewayCa, internal, 'DNS:gateway', [client]],
  ] as const) {
    const leaf = await certificate(folder, name);
    assert.ok(leaf.verify(issuer.publicKey), name);
    assert.ok(!leaf.verify(other.publicKey), name);
    assert.equal(leaf.subjectAltName, san);
    assert.deepEqual(leaf.keyUsage, usages);
    assert.equal(leaf.ca, false);
  }
  assert.equal(internal.ca, true);
});

test('the key listener has a leaf of the internal CA for its address alone, and it is not written down', async () => {
  const folder = join(root, 'jwks');
  const pki = await openEnginePki({ folder, nexusEnabled: false, clock: fixedClock() });
  const leaf = new X509Certificate(pki.jwksIdentity().cert);
  assert.ok(leaf.verify((await certificate(folder, 'internal-ca')).publicKey));
  assert.equal(leaf.subjectAltName, 'IP Address:127.0.0.1');
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  for (const name of await readdir(folder)) {
    assert.ok(!(await readFile(join(folder, name), 'utf8')).includes(pki.jwksIdentity().key), name);
  }
});

test('with Nexus the frontend also has the name that the engine calls it by', async () => {
  const folder = join(root, 'nexus');
  await openEnginePki({ folder, nexusEnabled: true, clock: fixedClock() });
  assert.equal(
    (await certificate(folder, 'frontend')).subjectAltName,
    'DNS:engine-frontend, DNS:engine-internode',
  );
});

test('T-100 the folder is 0700, its files 0600, and no private key of a CA is on disk', async () => {
  const folder = join(root, 'modes');
  await openEnginePki({ folder, nexusEnabled: false, clock: fixedClock() });
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  const names = (await readdir(folder)).sort();
  assert.deepEqual(names, [
    'frontend.crt',
    'frontend.key',
    'gateway-ca.crt',
    'gateway.crt',
    'gateway.key',
    'internal-ca.crt',
    'internode.crt',
    'internode.key',
  ]);
  for (const name of names) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
});

test('a leaf is renewed at two thirds of its life, under the same CA, and the gateway shows the new one', async () => {
  const folder = join(root, 'leaves');
  const clock = fixedClock();
  const pki = await openEnginePki({ folder, nexusEnabled: false, clock });
  const first = pki.gatewayTls();
  const firstJwks = pki.jwksIdentity();
  clock.advance((LEAF_LIFE_MS * 2) / 3 - 1000);
  assert.equal(await pki.renew(), 'nothing');
  assert.equal(pki.gatewayTls(), first);
  clock.advance(1000);
  assert.equal(await pki.renew(), 'leaves');
  assert.notEqual(pki.gatewayTls().cert, first.cert);
  assert.equal(pki.gatewayTls().ca, first.ca);
  assert.notEqual(pki.jwksIdentity().cert, firstJwks.cert);
  assert.equal(await readFile(join(folder, 'gateway.crt'), 'utf8'), pki.gatewayTls().cert);
  assert.equal(await pki.renew(), 'nothing');
});

test('CAs are renewed at two thirds of their life, and the caller is told to restart the engine', async () => {
  const folder = join(root, 'authorities');
  const clock = fixedClock();
  const pki = await openEnginePki({ folder, nexusEnabled: false, clock });
  const first = pki.gatewayTls();
  clock.advance((CA_LIFE_MS * 2) / 3);
  assert.equal(await pki.renew(), 'authorities');
  assert.notEqual(pki.gatewayTls().ca, first.ca);
});
