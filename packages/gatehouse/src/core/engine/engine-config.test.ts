import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { Secret } from '#base/crypto/secret';
import { makePrivateFolder } from '#base/runtime/safe-file';
import {
  assertCaFiles,
  buildEngineConfig,
  clientCaFiles,
  type EngineConfigOptions,
  writeEngineConfig,
} from './engine-config.ts';
import { buildDynamicConfig } from './engine-dynamic-config.ts';
import { EngineError } from './engine-error.ts';
import { engineHome } from './engine-home.ts';
import { chooseEnginePorts, type EnginePorts, listPorts } from './engine-ports.ts';

let root: string;
let ports: EnginePorts;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-config-'));
  ports = await chooseEnginePorts(join(root, 'ports.json'));
});
after(() => rm(root, { recursive: true, force: true }));

function options(extra: Partial<EngineConfigOptions> = {}): EngineConfigOptions {
  return {
    home: engineHome(root),
    ports,
    storage: { kind: 'sqlite' },
    nexusEnabled: false,
    historyShards: 4,
    ...extra,
  };
}

const config = (extra: Partial<EngineConfigOptions> = {}) => parse(buildEngineConfig(options(extra)));

test('every listener is on the loopback, and pprof is off', () => {
  const parsed = config();
  for (const service of Object.values<{ rpc: { bindOnIP: string } }>(parsed.services)) {
    assert.equal(service.rpc.bindOnIP, '127.0.0.1');
  }
  assert.equal(parsed.global.pprof.port, 0);
  assert.match(parsed.global.metrics.prometheus.listenAddress, /^127\.0\.0\.1:/);
});

test('no service has an HTTP port, and Nexus opens only that of the internal frontend', () => {
  assert.ok(!buildEngineConfig(options()).includes('httpPort'));
  const { services } = config({ nexusEnabled: true });
  assert.equal(services['internal-frontend'].rpc.httpPort, ports.nexusHttp);
  assert.equal(services.frontend.rpc.httpPort, undefined);
});

test('each side asks for a client certificate, and no list of client CAs is empty', () => {
  for (const nexusEnabled of [false, true]) {
    const { frontend, internode } = config({ nexusEnabled }).global.tls;
    for (const side of [frontend, internode]) {
      assert.equal(side.server.requireClientAuth, true);
      assert.ok(side.server.clientCaFiles.length > 0);
    }
    assert.deepEqual(internode.server.clientCaFiles, clientCaFiles(engineHome(root), nexusEnabled).internode);
  }
  assert.equal(config().global.tls.frontend.server.clientCaFiles.length, 1);
  assert.equal(config({ nexusEnabled: true }).global.tls.frontend.server.clientCaFiles.length, 2);
});

test('the authorizer, the claim mapper and the audience are all named', () => {
  assert.deepEqual(config().global.authorization, {
    jwtKeyProvider: { keySourceURIs: [`https://127.0.0.1:${ports.jwks}/jwks.json`], refreshInterval: '1m' },
    permissionsClaimName: 'permissions',
    audience: 'gatehouse-engine',
    authorizer: 'default',
    claimMapper: 'default',
  });
});

test('archival is disabled and no cluster is redirected to', () => {
  const parsed = config();
  assert.deepEqual(parsed.archival, { history: { state: 'disabled' }, visibility: { state: 'disabled' } });
  assert.deepEqual(parsed.dcRedirectionPolicy, { policy: 'noop' });
  assert.equal(parsed.clusterMetadata.enableGlobalNamespace, false);
  assert.equal(parsed.publicClient, undefined);
});

test('the pins that hold an advisory or an isolation are in the dynamic configuration', () => {
  const parsed = parse(buildDynamicConfig());
  for (const [key, value] of [
    ['system.enableCrossNamespaceCommands', false],
    ['frontend.enableTokenNamespaceEnforcement', true],
    ['system.enableRingpopTLS', true],
    ['history.enableChasm', false],
    ['workercontroller.compute_providers.enabled', ['none']],
    ['component.callbacks.allowedAddresses', []],
    ['limit.mutableStateActivityFailureSize.error', 65_536],
  ] as const) {
    assert.deepEqual(parsed[key], [{ value }], key);
  }
});

test('PostgreSQL replaces both stores, and one elsewhere needs TLS', () => {
  const local = { kind: 'postgres', host: '127.0.0.1', port: 5432, user: 'temporal' } as const;
  const storage = { ...local, password: new Secret(Buffer.from('p:"w#')) };
  const { datastores } = config({ storage }).persistence;
  assert.equal(datastores.main.sql.password, 'p:"w#');
  assert.equal(datastores.main.sql.databaseName, 'temporal');
  assert.equal(datastores.vis.sql.databaseName, 'temporal_visibility');
  assert.throws(() => config({ storage: { ...storage, host: 'db.example' } }), /needs TLS/);
  const spaced = new Secret(Buffer.from('p w'));
  assert.throws(() => config({ storage: { ...storage, password: spaced } }), /space in it/);
  assert.throws(() => config({ storage: { ...storage, user: 'a@b' } }), /PostgreSQL users/);
  const remote = config({ storage: { ...storage, host: 'db.example', tls: { caFile: '/ca.pem' } } });
  assert.equal(remote.persistence.datastores.main.sql.tls.enableHostVerification, true);
  assert.equal(remote.persistence.datastores.main.sql.tls.serverName, 'db.example');
});

test('a home whose path would end the name of the database is refused', () => {
  assert.throws(() => config({ home: engineHome('/tmp/a?mode=memory') }), EngineError);
});

test('T-099 the engine is not started with a client CA file that is missing or holds no certificate', async () => {
  const home = engineHome(root);
  await makePrivateFolder(home.pki);
  await assert.rejects(assertCaFiles('frontend', []), /trust anybody/);
  await assert.rejects(writeEngineConfig(options()), /holds no certificate/);
  await writeFile(join(home.pki, 'gateway-ca.crt'), '-----BEGIN CERTIFICATE-----\n');
  await writeFile(join(home.pki, 'internal-ca.crt'), '  \n');
  await assert.rejects(writeEngineConfig(options()), /internode/);
});

test('T-100 the configuration is readable for its owner only', async () => {
  const home = engineHome(root);
  await makePrivateFolder(home.pki);
  for (const name of ['gateway-ca.crt', 'internal-ca.crt']) {
    await writeFile(join(home.pki, name), '-----BEGIN CERTIFICATE-----\n');
  }
  await writeEngineConfig(options());
  for (const file of [home.configFile, home.dynamicConfigFile]) {
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  }
  assert.equal((await stat(home.data)).mode & 0o777, 0o700);
});

test('a restart is given the same ports while they are free, and others when one is taken', async () => {
  const file = join(root, 'again.json');
  const first = await chooseEnginePorts(file);
  assert.deepEqual(await chooseEnginePorts(file), first);
  assert.equal(new Set(listPorts(first)).size, 13);
  const { createServer } = await import('node:net');
  const squatter = createServer().listen(first.grpc.history, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  assert.notDeepEqual(await chooseEnginePorts(file), first);
  squatter.close();
  await writeFile(file, 'not json');
  assert.equal(listPorts(await chooseEnginePorts(file)).length, 13);
});
