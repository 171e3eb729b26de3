import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCaBundle } from '#base/pki/ca-bundle';
import { type Home, homeAt, namespaceFiles } from './home.ts';
import { ensureClientCertificate, ensureServerCertificate, namespaceFolders } from './home-certificates.ts';

const NAMES = { account: 'local', domain: 'gatehouse.localhost' };
const ID = 'default.local';
const DAY_MS = 86_400_000;
const NOW = Date.now();

function emptyHome(t: TestContext): Home {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-home-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return homeAt(root);
}

const text = (file: string): string => readFileSync(file, 'utf8');

test('certificates stay as they are until a third of their life is left', async (t) => {
  const home = emptyHome(t);
  await ensureServerCertificate(home, NAMES, NOW);
  const bundle = await ensureClientCertificate(home, ID, NOW);
  const files = namespaceFiles(home, ID);
  const all = [home.serverCaFile, home.serverCertificateFile, files.caCert, files.clientCert];
  const before = all.map(text);
  await ensureServerCertificate(home, NAMES, NOW + 50 * DAY_MS);
  assert.equal(await ensureClientCertificate(home, ID, NOW + 200 * DAY_MS), bundle);
  assert.deepEqual(all.map(text), before);
  assert.deepEqual(await namespaceFolders(home), [ID]);
});

test('F-15 a certificate that is due is renewed by the same CA, and a due client CA stays in the bundle beside the new one', async (t) => {
  const home = emptyHome(t);
  await ensureServerCertificate(home, NAMES, NOW);
  await ensureClientCertificate(home, ID, NOW);
  const files = namespaceFiles(home, ID);
  const [serverCa, server, oldCa] = [home.serverCaFile, home.serverCertificateFile, files.caCert].map(text);
  await ensureServerCertificate(home, NAMES, NOW + 70 * DAY_MS);
  assert.equal(text(home.serverCaFile), serverCa);
  assert.notEqual(text(home.serverCertificateFile), server);

  const laterMs = NOW + 300 * DAY_MS;
  const bundle = await ensureClientCertificate(home, ID, laterMs);
  assert.ok(bundle.endsWith(oldCa ?? '?') && bundle !== oldCa);
  const accepted = parseCaBundle(bundle, { nowMs: laterMs, hasFilters: false });
  assert.equal(accepted.certificates.length, 2);
  const leaf = new X509Certificate(text(files.clientCert));
  assert.ok(leaf.verify(new X509Certificate(bundle).publicKey));
  // The bundle is stable until the next is due, and then the one that has expired is gone.
  assert.equal(await ensureClientCertificate(home, ID, laterMs), bundle);
  const last = await ensureClientCertificate(home, ID, laterMs + 300 * DAY_MS);
  assert.equal(
    parseCaBundle(last, { nowMs: laterMs + 300 * DAY_MS, hasFilters: false }).certificates.length,
    2,
  );
  assert.ok(!last.includes(oldCa ?? '?'));
});

test('F-13 a key without its certificate, as a crash between the two files leaves it, is made anew', async (t) => {
  const home = emptyHome(t);
  const other = emptyHome(t);
  for (const each of [home, other]) {
    await ensureServerCertificate(each, NAMES, NOW);
    await ensureClientCertificate(each, ID, NOW);
  }
  const [files, foreign] = [namespaceFiles(home, ID), namespaceFiles(other, ID)];
  for (const [keyFile, foreignKey] of [
    [files.clientKey, foreign.clientKey],
    [files.caKey, foreign.caKey],
    [home.serverKeyFile, other.serverKeyFile],
    [home.serverCaKeyFile, other.serverCaKeyFile],
  ] as const) {
    for (const damage of [text(foreignKey), 'garbage']) {
      writeFileSync(keyFile, damage);
      await ensureServerCertificate(home, NAMES, NOW);
      await ensureClientCertificate(home, ID, NOW);
      assertSound(home);
    }
  }
});

function assertSound(home: Home): void {
  const files = namespaceFiles(home, ID);
  const [serverCa, server, ca, client] = [
    home.serverCaFile,
    home.serverCertificateFile,
    files.caCert,
    files.clientCert,
  ].map((file) => new X509Certificate(readFileSync(file)));
  assert.ok(serverCa && server?.verify(serverCa.publicKey));
  assert.ok(ca && client?.verify(ca.publicKey));
  assert.ok(existsSync(files.clientKey));
}
