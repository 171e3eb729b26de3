import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseConfig } from '#base/config/load-config';
import { databaseOf, kmsSpecsOf, namespacesOf } from './platform-of-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-platform-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
for (const name of ['server.pem', 'server.key', 'ca.pem', 'token']) {
  writeFileSync(join(folder, name), 'x', { mode: 0o600 });
}
const config = (more: string) =>
  parseConfig(
    `
home: data
domain: gatehouse.example.com
region: aws-local
gateway: { grpc: { address: '127.0.0.1:0' }, certificateFile: server.pem, keyFile: server.key }
${more}`,
    { file: 'gatehouse.yaml', folder, environment: {} },
  );

test('a local KMS uses the key of the home unless it has one of its own', () => {
  assert.deepEqual(kmsSpecsOf(config(''), '/home.key'), {
    platform: { kind: 'local', keyFile: '/home.key' },
    previous: [],
    named: [],
  });
  const { platform, previous, named } = kmsSpecsOf(
    config(`encryption:
  kms: { kind: vault, address: 'https://vault', key: k, token: 'file:token' }
  previousKms: [{ kind: local }]
  keys: [{ name: acme, kms: { kind: local, keyFile: acme.key } }]`),
    '/home.key',
  );
  assert.equal(platform.kind === 'vault' && platform.token.reveal().toString(), 'x');
  assert.deepEqual(previous, [{ kind: 'local', keyFile: '/home.key' }]);
  assert.deepEqual(named, [{ name: 'acme', spec: { kind: 'local', keyFile: join(folder, 'acme.key') } }]);
});

test('a namespace wants every encryption setting, so that a line taken out takes its setting back', async () => {
  const namespaces = await namespacesOf(config('namespaces: [{ id: orders.acme1, caFile: ca.pem }]'));
  assert.deepEqual(namespaces[0]?.encryption, {
    sealing: 'on',
    kmsKey: '',
    sealedAttributes: [],
    clientEncryption: 'off',
    plaintextAllowed: [],
  });
});

test('T-001 the TLS settings of the directory reach its connection, its certificate and key with them', async () => {
  const tls =
    'tls: { caFile: ca.pem, certificateFile: server.pem, keyFile: server.key, serverName: db.test }';
  const postgres = (more: string) =>
    config(`directory: { kind: postgres, host: 127.0.0.1, user: u, password: 'file:token'${more} }`);
  const secured = await databaseOf(postgres(`, ${tls}`), '/directory.db');
  assert.ok('connection' in secured);
  const { key, ...pem } = secured.connection.ssl ?? {};
  assert.deepEqual(pem, { ca: 'x', cert: 'x', serverName: 'db.test' });
  assert.equal(key?.reveal().toString(), 'x');
  const local = await databaseOf(postgres(''), '/directory.db');
  assert.ok('connection' in local);
  assert.equal(local.connection.ssl, undefined);
});
