import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigError } from './config-error.ts';
import { parseConfig } from './load-config.ts';
import type { Config } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-encryption-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
for (const name of ['server.pem', 'ca.pem', 'softhsm.so'])
  writeFileSync(join(folder, name), 'x', { mode: 0o644 });
for (const name of ['server.key', 'token', 'account.json']) {
  writeFileSync(join(folder, name), 'hunter2\n', { mode: 0o600 });
}
writeFileSync(join(folder, 'open.json'), '{}', { mode: 0o644 });

const SOUND = `
home: data
domain: gatehouse.example.com
region: aws-local
gateway:
  grpc: { address: 127.0.0.1:7233 }
  certificateFile: server.pem
  keyFile: server.key
`;

function parse(text: string): Config {
  return parseConfig(SOUND + text, { file: 'gatehouse.yaml', folder, environment: { SECRET: 'hunter2' } });
}

/** `key: problem` of each fault. */
function faultsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.ok(!inspect(error).includes('hunter2'));
    return error.faults.map(({ key, problem }) => `${key}: ${problem}`);
  }
  return [];
}

const VAULT = "kind: vault, address: 'https://vault.example.com:8200', key: gatehouse";
const kms = (more: string): string => `encryption: { kms: { ${more} } }`;

test('without a word of encryption everything is sealed, with a key in the home', () => {
  const config = parse('namespaces: [{ id: orders.acme1, caFile: ca.pem }]');
  assert.deepEqual(config.encryption, {
    kms: { kind: 'local' },
    previousKms: [],
    keys: [],
    cacheMinutes: 60,
    dataKeyMinutes: 60,
    dataKeyMessages: 2 ** 24,
    namespaceKeyDays: 365,
  });
  assert.deepEqual(config.namespaces[0]?.encryption, {
    atRest: 'on',
    sealedAttributes: [],
    clientSide: 'off',
    plaintextAllowed: [],
  });
});

test('every kind of KMS is taken, with secrets by reference that print as nothing else than [secret]', () => {
  const config = parse(`
encryption:
  kms: { ${VAULT}, token: 'file:token', caFile: ca.pem }
  previousKms: [{ kind: local }, { kind: local, keyFile: token }]
  keys:
    - { name: a, kms: { kind: aws, key: alias/a, region: eu-west-1, accessKeyId: AK, secretAccessKey: '\${env:SECRET}' } }
    - { name: b, kms: { kind: gcp, key: projects/p/locations/l/keyRings/r/cryptoKeys/k, credentialsFile: account.json } }
    - { name: c, kms: { kind: azure, vaultUrl: 'https://v.vault.azure.net', key: k, tenantId: t, clientId: c, clientSecret: '\${env:SECRET}' } }
    - { name: d, kms: { kind: pkcs11, library: softhsm.so, tokenLabel: t, keyLabel: k, pin: 'file:token' } }
    - { name: e, kms: { kind: local, keyFile: yet-to-be-made.key } }
namespaces:
  - { id: orders.acme1, caFile: ca.pem, encryption: { atRest: migrate, kmsKey: c, sealedAttributes: [CustomerId], clientSide: require } }
`);
  const { kms: platform, keys, previousKms } = config.encryption;
  assert.ok(platform.kind === 'vault');
  assert.equal(platform.token.reveal().toString(), 'hunter2');
  assert.deepEqual([platform.mount, platform.caFile], ['transit', join(folder, 'ca.pem')]);
  assert.deepEqual(previousKms[1], { kind: 'local', keyFile: join(folder, 'token') });
  assert.equal(keys[3]?.kms.kind === 'pkcs11' && keys[3].kms.library, join(folder, 'softhsm.so'));
  assert.equal(config.namespaces[0]?.encryption.kmsKey, 'c');
  assert.doesNotMatch(inspect(config, { depth: 9 }) + JSON.stringify(config), /hunter2/);
});

test('T-100a each secret of a KMS is refused where it is written out', () => {
  for (const [key, text] of [
    ['token', `${VAULT}, token: hunter2`],
    ['secretAccessKey', 'kind: aws, key: k, region: r, accessKeyId: A, secretAccessKey: hunter2'],
    [
      'clientSecret',
      "kind: azure, vaultUrl: 'https://v', key: k, tenantId: t, clientId: c, clientSecret: hunter2",
    ],
    ['pin', 'kind: pkcs11, library: softhsm.so, tokenLabel: t, keyLabel: k, pin: hunter2'],
  ] as const) {
    assert.deepEqual(faultsOf(kms(text)), [
      `encryption.kms.${key}: is the secret itself: write \${env:NAME} or file:PATH instead, and change the secret`,
    ]);
  }
});

test('a KMS is not spoken to in clear but on this machine', () => {
  const at = (url: string): string[] =>
    faultsOf(kms(`kind: vault, address: '${url}', key: k, token: 'file:token'`));
  const problem = 'must begin with https: http is for a server on this machine only';
  for (const url of ['http://vault.example.com:8200', 'http://10.0.0.1', 'http://127.0.0.1.example.com']) {
    assert.deepEqual(at(url), [`encryption.kms.address: ${problem}`], url);
  }
  for (const url of ['http://127.0.0.1:8200', 'http://[::1]:8200', 'http://localhost', 'https://10.0.0.1']) {
    assert.deepEqual(at(url), [], url);
  }
  assert.match(at('vault:8200').join(), /^encryption\.kms\.address: must be a URL/);
  const more = `encryption: { previousKms: [{ kind: aws, key: k, region: r, endpoint: 'http://kms' }], keys: [{ name: a, kms: { kind: azure, vaultUrl: 'http://v', key: k } }] }`;
  assert.deepEqual(faultsOf(more), [
    `encryption.previousKms.0.endpoint: ${problem}`,
    `encryption.keys.0.kms.vaultUrl: ${problem}`,
  ]);
});

test('names of KMS keys are given once and known where they are used; credentials are whole', () => {
  const key = 'kms: { kind: local }';
  assert.deepEqual(
    faultsOf(`
encryption: { keys: [{ name: acme, ${key} }, { name: acme, ${key} }, { name: '-', ${key} }] }
namespaces: [{ id: orders.acme1, caFile: ca.pem, encryption: { kmsKey: other } }]`).map(
      (fault) => fault.split(',')[0],
    ),
    [
      'encryption.keys.2.name: must be letters',
      'encryption.keys.1.name: is that of encryption.keys.0 too: choose another',
      'namespaces.0.encryption.kmsKey: is not a name in encryption.keys: add the key there',
    ],
  );
  assert.deepEqual(faultsOf(kms('kind: aws, key: k, region: r, accessKeyId: A')), [
    'encryption.kms.secretAccessKey: is missing: it is needed where accessKeyId is set',
  ]);
  assert.deepEqual(
    faultsOf(kms("kind: azure, vaultUrl: 'https://v', key: k, clientSecret: 'file:token'")).map(
      (fault) => fault.split(':')[0],
    ),
    ['encryption.kms.clientId', 'encryption.kms.tenantId'],
  );
});

test('files of a KMS are looked at: those that hold keys are for this user only', () => {
  const gcp = (file: string): string => kms(`kind: gcp, key: k, credentialsFile: ${file}`);
  assert.match(faultsOf(gcp('open.json')).join(), /credentialsFile: .*chmod 600/);
  assert.match(faultsOf(gcp('none.json')).join(), /credentialsFile: .*\(ENOENT\)/);
  assert.match(faultsOf(kms('kind: local, keyFile: open.json')).join(), /keyFile: .*chmod 600/);
  assert.deepEqual(faultsOf(kms('kind: local, keyFile: none.key')), []);
  const previous = 'encryption: { previousKms: [{ kind: local, keyFile: none.key }] }';
  assert.match(faultsOf(previous).join(), /previousKms\.0\.keyFile: .*\(ENOENT\)/);
});

test('numbers have bounds, and an unknown kind or key is told with what is known', () => {
  const faults = faultsOf(`
encryption: { cacheMinutes: 61, dataKeyMinutes: 0, dataKeyMessages: 4294967297, namespaceKeyDays: 0.5, kms: { kind: hsm } }
namespaces: [{ id: orders.acme1, caFile: ca.pem, encryption: { atRest: maybe, clientside: require } }]`);
  assert.deepEqual(
    faults.map((fault) => fault.split(':').slice(0, 2).join(':')),
    [
      'encryption.kms.kind: must be one of local, vault, aws, gcp, azure, pkcs11',
      'encryption.cacheMinutes: must be at most 60',
      'encryption.dataKeyMinutes: must be at least 1',
      'encryption.dataKeyMessages: must be at most 4294967296',
      'encryption.namespaceKeyDays: must be a whole number',
      'namespaces.0.encryption.atRest: must be one of on, migrate, off',
      'namespaces.0.encryption.clientside: is not a known key',
    ],
  );
});
