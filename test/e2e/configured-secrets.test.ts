import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/gatehouse/src/testing/embedded-postgres.ts';
import { encode, openRawClient, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';
import { canary, keyCanary, leaksIn, leaksInFiles, leaksInProcesses } from './leak-search.ts';
import { assertClosed, openRuns } from './secrets-site.ts';
import { DOMAIN, makeSite, type Site } from './serve-site.ts';

// The secrets that an operator configures for `serve`: of a database, of a KMS. home-secrets.test.ts: those of `up`.

const { run, failing, close } = openRuns();
let postgres: EmbeddedPostgres;
let site: Site;

before(async () => {
  [postgres, site] = await Promise.all([startEmbeddedPostgres({ tcp: true }), makeSite()]);
  await site.makeCa('orders');
});

after(async () => {
  await close(...(site === undefined ? [] : [site.folder]));
  await postgres?.close();
  site?.close();
});

const PASSWORD = 'canary-of-a-password/+%40?&=0123456789';
const WRONG = 'canary-of-a-wrong-password-0123456789';
/** A reference that is resolved from the environment. */
const BY_ENVIRONMENT = `password: '\${env:WRONG}'`;
const passwords = [
  canary('the password', PASSWORD, 'home/engine/data/engine.yaml', 'password'),
  canary('the wrong password', WRONG, 'wrong', 'gatehouse.yaml'),
];

function server(more: string): string {
  const { host, port, user } = postgres.connection('');
  return `kind: postgres, host: ${host}, port: ${port}, user: ${user}, ${more}`;
}

/** On a new home: a directory of before would serve in the place of one that cannot be opened. */
function configure(more: string, namespaces: readonly string[] = []): void {
  rmSync(site.home, { recursive: true, force: true });
  site.configure({ namespaces, more });
}

test('T-100b a configuration that is refused is not quoted: no value of it, no secret that it refers to', async () => {
  writeFileSync(join(site.folder, 'password'), PASSWORD, { mode: 0o600 });
  writeFileSync(join(site.folder, 'wrong'), WRONG, { mode: 0o644 });
  const serve = ['serve', '--config', site.configFile];
  const pem = {
    name: 'a key in the place of a CA',
    forms: keyCanary(site.folder, 'orders.key').forms,
    belongsIn: ['orders.key'],
  };
  const all = [...passwords, pem];
  const cases: readonly (readonly [string, RegExp, (readonly string[])?])[] = [
    [`directory: { ${server(`password: '${WRONG}'`)} }`, /directory\.password.*is the secret itself/],
    [`directory: { ${server("password: 'file:wrong'")} }`, /can be read or changed by other users/],
    [
      `directory: { ${server(`password: '\${env:UNSET}', host2: '${WRONG}'`)} }`,
      /set the environment variable UNSET/,
    ],
    [`directory: { ${server(BY_ENVIRONMENT)} }\naccount: '\${env:WRONG}'`, /account.*is for secrets only/],
    [`directory: { ${server(`password: "${WRONG}`)} }`, /is not YAML/],
    [`sesame: '${WRONG}'`, /sesame.*is not a known key/],
    [
      `encryption: { kms: { kind: vault, address: '${WRONG}', key: k, token: '${WRONG}' } }`,
      /token.*is the secret itself/,
    ],
    ['', /namespaces\.0\.caFile/, ['{ id: orders.acme1, caFile: orders.key }']],
  ];
  const leaks: string[] = [];
  for (const [more, expected, namespaces] of cases) {
    configure(more, namespaces);
    const doctor = run(['doctor', '--config', site.configFile], { WRONG });
    leaks.push(...(await failing(serve, all, expected, { WRONG })));
    await doctor.ended;
    leaks.push(...leaksIn('doctor', doctor.stdout() + doctor.stderr(), all));
    leaks.push(...leaksInFiles(site.folder, all));
  }
  assert.deepEqual(leaks, []);
});

test('T-100b a KMS that refuses a token and quotes it, and a database that refuses a password: neither is shown', async () => {
  // As an unkind service would: everything that it was sent is in its answer.
  const vault = createServer((req, res) => {
    res.writeHead(403, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ errors: [`permission denied for ${JSON.stringify(req.headers)}`] }));
  });
  await new Promise<void>((resolve) => vault.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
  const serve = ['serve', '--config', site.configFile];
  const leaks: string[] = [];
  configure(`encryption: { kms: { kind: vault, address: '${address}', key: k, token: '\${env:WRONG}' } }`);
  leaks.push(...(await failing(serve, passwords, /gatehouse: /, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  vault.close();
  configure(`directory: { ${server(BY_ENVIRONMENT)} }`);
  leaks.push(...(await failing(serve, passwords, /gatehouse: /, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  configure(`engine: { storage: { ${server(BY_ENVIRONMENT)} } }`);
  leaks.push(...(await failing(serve, passwords, /schema of PostgreSQL/, { WRONG })));
  leaks.push(...leaksInFiles(site.folder, passwords));
  assert.deepEqual(leaks, []);
});

test('T-100b T-082 the password of PostgreSQL is in the engine’s own file alone, and serve is as closed as up', async () => {
  const administrator = new pg.Client(postgres.connection('postgres'));
  await administrator.connect();
  await administrator.query('create database gatehouse');
  await administrator.query(`create role canary login superuser password '${PASSWORD}'`);
  await administrator.end();
  const { host, port } = postgres.connection('');
  const database = `kind: postgres, host: ${host}, port: ${port}, user: canary, password: 'file:password'`;
  configure(`directory: { ${database} }\nengine: { storage: { ${database} } }`, [
    '{ id: orders.acme1, caFile: orders-ca.pem }',
  ]);
  const serving = run(['serve', '--config', site.configFile]);
  const [line] = await serving.printed(/^\{"ready":true.*\}\n/m, 60_000);
  assert.equal(statSync(join(site.home, 'engine', 'data', 'engine.yaml')).mode & 0o077, 0);
  const raw = openRawClient({
    endpoint: site.endpoint(JSON.parse(line).grpc, { 'orders.acme1': 'orders' }),
    certificateOf: 'orders.acme1',
    serverName: `orders.acme1.${DOMAIN}`,
  });
  const request_ = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: 'orders.acme1' });
  const call = () => raw.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request_, { timeoutMs: 3000 });
  await assertClosed(serving.child.pid, site.folder, async () => (await call()).status);
  await postgres.stop();
  const refused = await call();
  assert.notEqual(refused.status, 0);
  raw.close();
  const engineLog = join(site.home, 'logs', 'engine.log');
  await until('the engine complains', () => /connect|database/.test(readFileSync(engineLog, 'utf8')), 20_000);
  const leaks = [
    ...leaksIn('its output', serving.stdout() + serving.stderr(), passwords),
    ...leaksIn('its answer', JSON.stringify(refused), passwords),
    ...leaksInProcesses(site.folder, passwords),
  ];
  serving.child.kill('SIGTERM');
  await serving.ended;
  leaks.push(...leaksIn('its last words', serving.stdout() + serving.stderr(), passwords));
  assert.deepEqual([...leaks, ...leaksInFiles(site.folder, passwords)], []);
});
