import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigError } from './config-error.ts';
import { loadConfig, parseConfig } from './load-config.ts';
import type { Config } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
for (const [name, mode] of [
  ['server.pem', 0o644],
  ['server.key', 0o600],
  ['open.key', 0o640],
  ['ca.pem', 0o644],
] as const) {
  writeFileSync(join(folder, name), 'x');
  chmodSync(join(folder, name), mode);
}
writeFileSync(join(folder, 'password'), 'hunter2\n', { mode: 0o600 });

const GATEWAY = `
gateway:
  grpc: { address: 127.0.0.1:7233 }
  certificateFile: server.pem
  keyFile: server.key
`;
const SOUND = `
home: data
domain: gatehouse.example.com
region: aws-local
${GATEWAY}`;

function parse(text: string, environment: Record<string, string> = {}): Config {
  return parseConfig(text, { file: 'gatehouse.yaml', folder, environment });
}

/** `key: problem` of each fault. */
function faultsOf(text: string, environment: Record<string, string> = {}): string[] {
  try {
    parse(text, environment);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults.map(({ key, problem }) => `${key}: ${problem}`);
  }
  return [];
}

test('a sound file gets its defaults, and paths are taken from where it lies', () => {
  const config = parse(SOUND);
  assert.equal(config.home, join(folder, 'data'));
  assert.equal(config.gateway.keyFile, join(folder, 'server.key'));
  assert.deepEqual(config.gateway.grpc.address, { host: '127.0.0.1', port: 7233 });
  assert.equal(config.gateway.drainSeconds, 75);
  assert.deepEqual(config.directory, { kind: 'sqlite' });
  assert.equal(config.engine.storage.kind, 'sqlite');
  assert.deepEqual(config.namespaces, []);
});

test('all faults are told at once, each with dotted key, line, what is wrong and what would be right', () => {
  const text = `
home: ''
domain: Example
region: nowhere
gateway:
  grpc: { address: here }
  certificateFile: missing.pem
  keyFile: open.key
  drainSecond: 5
  processes: 65
log: { level: loud }
directory: { kind: mysql }
engine: { historyShards: 0, address: 127.0.0.1:1 }
namespaces:
  - { id: default.local, caFile: ca.pem, retentionDays: 91, allowTls12: true }
  - { id: default.local, caFile: ca.pem, filters: [] }
`;
  assert.deepEqual(faultsOf(text), [
    `gateway.certificateFile: ${join(folder, 'missing.pem')} cannot be read (ENOENT)`,
    `gateway.keyFile: ${join(folder, 'open.key')} can be read or changed by other users; run: chmod 600 ${join(folder, 'open.key')}`,
    'home: must not be empty: Folder of keys, audit chain, local copies. Made with mode 0700.',
    'domain: must be a DNS name in lower case, such as gatehouse.example.com',
    'region: must be <cloud>-<name>, such as aws-local',
    'gateway.grpc.address: must be host:port, such as 127.0.0.1:7233',
    'gateway.processes: must be at most 64: How many processes serve the doors: one for each core that they may use. SIGUSR2 restarts them.',
    'gateway.drainSecond: is not a known key: did you mean drainSeconds?',
    'directory.kind: must be one of sqlite, postgres',
    'engine.historyShards: must be at least 1: Fixed for the life of the data.',
    'namespaces.0.retentionDays: must be at most 90: How long closed workflows are kept, in days.',
    'namespaces.1.filters: is not a known key: remove it; known here: id, caFile, certificateFilters, retentionDays, allowTls12, nexusEndpoints, audit, encryption, limits',
    'log.level: must be one of debug, info, warn, error: The least important lines that are written to `logs/gatehouse.log`.',
    'engine.caFile: is missing: it is needed where engine.address is set',
    'engine.certificateFile: is missing: it is needed where engine.address is set',
    'engine.keyFile: is missing: it is needed where engine.address is set',
    'engine.jwks: is missing: it is needed where engine.address is set',
    'namespaces.0.allowTls12: has no effect where gateway.allowTls12 is not true: set that, or remove this',
    'namespaces.1.id: is that of namespaces.0 too: remove one of them',
  ]);
  assert.throws(() => parse(text), /gateway\.keyFile \(line 8\): .*\n.*home \(line 2\)/s);
});

test('what is missing is said with its meaning, at the line of what it is missing in', () => {
  assert.deepEqual(faultsOf('home: data'), [
    'domain: is missing: Namespaces are reached as `<namespace>.<account>.<domain>`.',
    'region: is missing: Id of this region, `<cloud>-<name>`.',
    'gateway: is missing: The doors of the data plane.',
  ]);
  assert.throws(
    () => parse(SOUND.replace('  keyFile: server.key\n', '')),
    /gateway\.keyFile \(line 7\): is missing: PEM/,
  );
});

test('T-100a an unknown key is refused wherever it stands, also __proto__ and one that is written twice', () => {
  assert.deepEqual(faultsOf(`${SOUND}portal: {}`), [
    'portal: is not a known key: remove it; known here: home, account, domain, region, gateway, directory, engine, encryption, limits, namespaces, log',
  ]);
  assert.match(faultsOf(`${SOUND}__proto__: { home: x }`).join(), /^__proto__: is not a known key/);
  assert.match(faultsOf(`${SOUND}home: other`).join(), /^: is not YAML \(DUPLICATE_KEY\)/);
});

test('T-100a a key file that others can read is refused with key, problem and fix', () => {
  assert.match(
    faultsOf(SOUND.replace('server.key', 'open.key')).join(),
    /^gateway\.keyFile: .*open\.key can be read or changed by other users; run: chmod 600 .*open\.key$/,
  );
});

const postgres = (password: string, more = ''): string =>
  `${SOUND}directory: { kind: postgres, host: 127.0.0.1, user: gatehouse, password: '${password}'${more} }`;

test('T-100a a secret is taken by reference only, and prints as nothing else than [secret]', () => {
  const [byFile, byEnvironment] = [
    parse(postgres('file:password')),
    parse(postgres('${env:PGPASSWORD}'), { PGPASSWORD: 'hunter2' }),
  ];
  for (const { directory } of [byFile, byEnvironment]) {
    assert.ok(directory.kind === 'postgres');
    assert.equal(directory.password.reveal().toString(), 'hunter2');
  }
  assert.doesNotMatch(inspect(byFile, { depth: 9 }) + JSON.stringify(byFile), /hunter2/);
  assert.deepEqual(faultsOf(postgres('hunter2')), [
    'directory.password: is the secret itself: write ${env:NAME} or file:PATH instead, and change the secret',
  ]);
  assert.throws(
    () => parse(postgres('hunter2')),
    (error) => !inspect(error).includes('hunter2'),
  );
  assert.deepEqual(faultsOf(postgres('${env:PGPASSWORD}')), [
    'directory.password: is empty: set the environment variable PGPASSWORD',
  ]);
  assert.match(faultsOf(postgres('file:open.key')).join(), /^directory\.password: .*chmod 600/);
  assert.match(faultsOf(postgres('file:none')).join(), /^directory\.password: .*cannot be read \(ENOENT\)$/);
});

test('a reference anywhere but in a secret is refused', () => {
  assert.deepEqual(faultsOf(SOUND.replace('home: data', "home: '${env:HOME}'")), [
    'home: has a reference: ${…} is for secrets only, write the value itself',
  ]);
});

test('a password is not sent to another machine in clear', () => {
  const remote = postgres('file:password').replace('127.0.0.1, user', 'db.example.com, user');
  assert.deepEqual(faultsOf(remote), [
    'directory.tls: is missing: a database on another machine needs it; set at least tls.caFile',
  ]);
  assert.deepEqual(faultsOf(`${remote.slice(0, -1)}, tls: { caFile: ca.pem } }`), []);
  assert.deepEqual(
    faultsOf(postgres('file:password').replace('127.0.0.1, user', '/run/postgresql, user')),
    [],
  );
});

test('directory, histories and visibility each get a database of their own', () => {
  const both = (engine: string): string[] =>
    faultsOf(
      `${postgres('file:password', ', database: one')}
engine:
  storage: { kind: postgres, host: 127.0.0.1, user: temporal, password: 'file:password', ${engine} }`,
    );
  assert.deepEqual(both('database: two, visibilityDatabase: three'), []);
  assert.match(both('database: one').join(), /^directory\.database: must not be a database of the engine/);
  assert.match(
    both('database: two, visibilityDatabase: two').join(),
    /^engine\.storage\.visibilityDatabase: must not/,
  );
});

test('settings of one kind of engine are refused with the other', () => {
  assert.match(
    faultsOf(`${SOUND}engine: { caFile: ca.pem }`).join(),
    /^engine\.caFile: is for an engine at engine\.address/,
  );
  const external = `engine: { address: '10.0.0.1:7233', caFile: ca.pem, certificateFile: server.pem, keyFile: server.key, jwks: '127.0.0.1:9'`;
  assert.deepEqual(faultsOf(`${SOUND}${external} }`), []);
  assert.match(
    faultsOf(`${SOUND}${external}, storage: { kind: sqlite } }`).join(),
    /^engine\.storage: is for an engine that is run here/,
  );
});

test('two doors do not share one address', () => {
  const same = SOUND.replace('keyFile:', 'https: { address: 127.0.0.1:7233 }\n  keyFile:');
  assert.match(faultsOf(same).join(), /^gateway\.https\.address: must not be that of gateway\.grpc/);
});

test('a file that is not there, or not YAML, is told without its contents', () => {
  assert.throws(() => loadConfig(join(folder, 'none.yaml'), {}), /the file: cannot be read \(ENOENT\)/);
  assert.throws(
    () => parse('a: [hunter2'),
    (error) =>
      error instanceof ConfigError && /is not YAML/.test(error.message) && !error.message.includes('hunter2'),
  );
});

test('T-100a aliases are not followed, so a small file cannot grow', () => {
  assert.deepEqual(faultsOf('a: &a [x]\nb: *a'), [': uses an alias (*name): write the value out']);
});

test('Nexus is off and without endpoints unless told; an endpoint is checked like any other key', () => {
  assert.deepEqual(parse(SOUND).engine.nexus, { enabled: false, endpoints: [] });
  const endpoint = (name: string, namespace: string): string =>
    `engine: { nexus: { enabled: true, endpoints: [{ name: ${name}, namespace: ${namespace}, taskQueue: q }] } }`;
  assert.deepEqual(parse(`${SOUND}${endpoint('pay-eu', 'orders.acme1')}`).engine.nexus.endpoints, [
    { name: 'pay-eu', namespace: 'orders.acme1', taskQueue: 'q' },
  ]);
  assert.deepEqual(
    faultsOf(`${SOUND}${endpoint('__temporal_system', 'orders')}`).map((fault) => fault.split(':')[0]),
    ['engine.nexus.endpoints.0.name', 'engine.nexus.endpoints.0.namespace'],
  );
});
