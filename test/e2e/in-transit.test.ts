import assert from 'node:assert/strict';
import { chownSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import pg from 'pg';
import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import { runQuickstart } from '../../packages/gatehouse/src/app/quickstart.ts';
import type { Platform } from '../../packages/gatehouse/src/app/start-platform.ts';
import {
  generateInternalCa,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import type { EnginePorts } from '../../packages/gatehouse/src/core/engine/engine-ports.ts';
import { listListeningSockets } from '../../packages/gatehouse/src/core/engine/listening-sockets.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/gatehouse/src/testing/embedded-postgres.ts';
import {
  encode,
  openRawClient,
  type RawAnswer,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { type Capture, captureObstacle, startCapture } from '../parts/capture.ts';
import { firstWordsOf } from '../parts/first-words.ts';
import type { CapturedConnection } from '../parts/read-pcap.ts';
import { until } from './gatehouse-process.ts';
import { makeSite, type Served, type Site, serveSite } from './serve-site.ts';

const skip = captureObstacle();
const LOOPBACK = '127.0.0.1';
const CLEAR = 'in clear';
const CHACHA = 'TLS 1.3, TLS_CHACHA20_POLY1305_SHA256';

/** One line of the table in docs/in-transit.md. */
interface Hop {
  readonly name: string;
  /** `gatehouse`, `engine`, or somebody else. */
  readonly listens: string;
  readonly transit: string;
}

const hops = readTable(readFileSync(new URL('../../docs/in-transit.md', import.meta.url), 'utf8'));

function readTable(text: string): readonly Hop[] {
  return [...text.matchAll(/^\| `([\w.-]+)` \|(.*)\|$/gm)].map(([, name = '', rest = '']) => {
    const cells = rest.split('|').map((cell) => cell.trim());
    return { name, listens: cells[0] ?? '', transit: cells.at(-1) ?? '' };
  });
}

/** The ports of a platform, by the table's names. */
type PortsByHop = ReadonlyMap<string, readonly number[]>;

function portsOf(platform: Platform, home: string): PortsByHop {
  const engine = JSON.parse(readFileSync(join(home, 'engine', 'ports.json'), 'utf8')) as EnginePorts;
  const { grpc, https } = platform.gateway;
  return new Map<string, readonly number[]>([
    ['gateway.grpc', [grpc.port]],
    ['gateway.https', https === undefined ? [] : [https.port]],
    ...Object.entries(engine.grpc).map(([service, port]) => [`engine.${service}`, [port]] as const),
    ['engine.membership', Object.values(engine.membership)],
    ['engine.nexus', platform.engine.nexusEnabled ? [engine.nexusHttp] : []],
    ['engine.jwks', [engine.jwks]],
    ['engine.metrics', [engine.metrics]],
  ]);
}

/** What is to be ended, last begun first. */
const open: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of open.reverse()) await close();
});

/** @returns its end, for who cannot wait for that of the file. */
function untilTheEnd(close: () => Promise<unknown>): () => Promise<void> {
  open.push(close);
  return async () => {
    const at = open.indexOf(close);
    if (at >= 0) await open.splice(at, 1)[0]?.();
  };
}

/** What differs from the table, one line per kind of difference, by hop. */
function faultsOf(connections: readonly CapturedConnection[], ports: PortsByHop): readonly string[] {
  const faults = new Map<string, number>();
  for (const connection of connections) {
    const words = firstWordsOf(connection);
    // Nothing was said, or half of a greeting: the engine was just killed.
    if (words.kind === 'silent' || words.kind === 'unanswered') continue;
    const found =
      words.kind === 'clear' ? `${CLEAR}: ${words.began}` : `TLS ${words.version}, ${words.cipher}`;
    const hop = hops.find(({ name }) => ports.get(name)?.includes(connection.serverPort));
    const isAsWritten =
      hop !== undefined &&
      (hop.transit === CLEAR || found === hop.transit || (found === CHACHA && !hasAes())) &&
      (words.kind !== 'tls' || (words.preface === 'postgres') === (hop.name === 'postgres'));
    if (isAsWritten) continue;
    const line = `${hop?.name ?? `port ${connection.serverPort}`}: ${found}`;
    faults.set(line, (faults.get(line) ?? 0) + 1);
  }
  return [...faults].map(([line, count]) => `${line} (${count})`);
}

function hasAes(): boolean {
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  return /^(flags|Features)\s*:.*\baes\b/m.test(text);
}

/** How the keys of these hops were agreed on: one way, where all that speak there are ours. */
function groupsOf(connections: readonly CapturedConnection[], ports: PortsByHop): readonly string[] {
  const inner = connections.filter(({ serverPort }) =>
    [...ports].some(([name, own]) => name.startsWith('engine.') && own.includes(serverPort)),
  );
  const groups = inner.map(firstWordsOf).map((words) => (words.kind === 'tls' ? words.group : ''));
  return [...new Set(groups)].filter((group) => group !== '');
}

/** The names of the hops that were seen to carry something, sorted. */
function seenOf(connections: readonly CapturedConnection[], ports: PortsByHop): readonly string[] {
  const seen = new Set<string>();
  for (const connection of connections) {
    if (firstWordsOf(connection).kind === 'silent') continue;
    for (const { name } of hops) if (ports.get(name)?.includes(connection.serverPort)) seen.add(name);
  }
  return [...seen].sort();
}

/** TCP and UDP, as `hop` or as `address:port` for what the table does not have. */
async function listenersOf(pid: number, owner: string, ports: PortsByHop): Promise<readonly string[]> {
  const sockets = await listListeningSockets(pid);
  assert.ok(sockets !== undefined && sockets.length > 0, 'this system has no /proc');
  const names = sockets.map(({ address, port }) => {
    const hop = hops.find(({ name, listens }) => listens === owner && ports.get(name)?.includes(port));
    return hop === undefined || address !== LOOPBACK ? `${address}:${port}` : hop.name;
  });
  return [...names, ...udpOf(pid)].sort();
}

function udpOf(pid: number): readonly string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      // Closed this moment.
      return '';
    }
  });
  return ['udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => links.includes(`socket:[${fields[9]}]`))
      .map((fields) => `${table} ${fields[1]}`),
  );
}

/** What the table says that this owner listens on, with the ports that are open here. */
function expectedListeners(owner: string, ports: PortsByHop): readonly string[] {
  return hops
    .filter(({ listens }) => listens === owner)
    .flatMap(({ name }) => (ports.get(name) ?? []).map(() => name))
    .sort();
}

async function assertListeners(platform: Platform, ports: PortsByHop): Promise<void> {
  const { pid } = platform.engine;
  assert.ok(pid !== undefined);
  assert.deepEqual(await listenersOf(pid, 'engine', ports), expectedListeners('engine', ports));
  assert.deepEqual(await listenersOf(process.pid, 'gatehouse', ports), expectedListeners('gatehouse', ports));
}

async function record(ports: PortsByHop): Promise<Capture> {
  const capture = await startCapture([...ports.values()].flat());
  const close = untilTheEnd(capture.close);
  return {
    async stop() {
      const connections = await capture.stop();
      await close();
      return connections;
    },
    close,
  };
}

/** Settles when the gateway serves this namespace again. */
async function killEngine(platform: Platform, endpoint: EndpointFile): Promise<void> {
  const { engine } = platform;
  const { pid } = engine;
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await until('the engine is gone', () => engine.pid !== pid);
  const [namespace] = endpoint.namespaces;
  assert.ok(namespace !== undefined);
  const client = openRawClient({ endpoint, certificateOf: namespace.id, serverName: namespace.host });
  const request = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: namespace.id });
  const ask = (): Promise<RawAnswer> => client.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request);
  await until('the engine is back', async () => (await ask()).status === 0, 30_000);
  client.close();
}

/** Dials the ports on which nothing was said of itself, as their one rightful client would. */
async function dialSilent(home: string, ports: PortsByHop, seen: readonly string[]): Promise<void> {
  const silent = hops.filter(({ name, transit }) => transit !== CLEAR && !seen.includes(name));
  const read = (name: string): string => readFileSync(join(home, 'engine', 'pki', name), 'utf8');
  for (const { name } of silent) {
    const who = name === 'engine.nexus' ? 'gateway' : 'internode';
    for (const port of ports.get(name) ?? []) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect({
          host: LOOPBACK,
          port,
          ca: read('internal-ca.crt'),
          cert: read(`${who}.crt`),
          key: read(`${who}.key`),
          servername: who === 'gateway' ? 'engine-frontend' : 'engine-internode',
          ALPNProtocols: ['h2'],
        });
        socket.once('error', reject);
        socket.once('secureConnect', () => socket.end(resolve));
      });
    }
  }
}

let house: House;
let closeHouse: () => Promise<void>;
let housePorts: PortsByHop;

test('T-099 a process of ours listens on what the table of docs/in-transit.md has, and on nothing else', async () => {
  assert.ok(hops.length >= 10, 'the table is there');
  assert.deepEqual(
    hops.filter(({ transit }) => !/^TLS 1\.3, TLS_[A-Z0-9_]+$/.test(transit)),
    [{ name: 'engine.metrics', listens: 'engine', transit: CLEAR }],
    'one exception',
  );
  house = await startHouse();
  closeHouse = untilTheEnd(() => house.close());
  housePorts = portsOf(house.up.platform, house.home);
  await assertListeners(house.up.platform, housePorts);
});

test('T-001 every connection of a house is TLS 1.3, of its clients, of its gateway, and inside its engine', {
  skip,
}, async () => {
  const { platform } = house.up;
  const capture = await record(housePorts);
  const workflow = await runQuickstart(house.endpoint);
  assert.equal((workflow as { result: string }).result, 'Hello, Gatehouse!');
  const http = await requestRaw(house, {
    namespaceId: 'default.local',
    credential: homeCredential(house.endpoint, 'default.local'),
    target: '/api/v1/namespaces/default.local/workflows',
  });
  assert.equal(http.status, 200, http.body);
  await killEngine(platform, house.endpoint);
  await runQuickstart(house.endpoint);
  const connections = await capture.stop();
  assert.deepEqual(faultsOf(connections, housePorts), []);
  assert.deepEqual(groupsOf(connections, housePorts), ['X25519MLKEM768']);
  const seen = seenOf(connections, housePorts);
  for (const name of ['gateway.grpc', 'gateway.https', 'engine.frontend', 'engine.internal-frontend'])
    assert.ok(seen.includes(name), name);
  for (const name of ['engine.history', 'engine.matching', 'engine.membership', 'engine.jwks'])
    assert.ok(seen.includes(name), name);
  const rest = await record(housePorts);
  await dialSilent(house.home, housePorts, seen);
  const dialled = await rest.stop();
  assert.deepEqual(faultsOf(dialled, housePorts), []);
  assert.deepEqual(
    [...new Set([...seen, ...seenOf(dialled, housePorts)])]
      .sort()
      .filter((name) => name !== 'engine.metrics'),
    hops
      .map(({ name }) => name)
      .filter((name) => !['postgres', 'engine.nexus', 'engine.metrics'].includes(name))
      .sort(),
  );
  await assertListeners(platform, housePorts);
});

const ORDERS = 'orders.acme1';
let site: Site;
let postgres: EmbeddedPostgres;

async function sql(...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(postgres.connection('postgres'));
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** A PostgreSQL with a certificate, which any client may still reach in clear: what ours do is seen, not forced. */
async function startPostgres(): Promise<void> {
  postgres = await startEmbeddedPostgres({ tcp: true });
  untilTheEnd(() => postgres.close());
  const nowMs = Date.now();
  const validityMs = 86_400_000;
  const ca = await generateInternalCa({ commonName: 'database CA', validityMs, nowMs });
  const pair = await generateServiceCertificate({
    ca,
    commonName: 'database',
    dnsNames: ['database.test'],
    ipAddresses: [LOOPBACK],
    usages: ['serverAuth'],
    validityMs,
    nowMs,
  });
  writeFileSync(join(site.folder, 'database-ca.pem'), ca.certificatePem);
  writeFileSync(join(site.folder, 'password'), postgres.connection('').password, { mode: 0o600 });
  const [row] = await sql('create database gatehouse', 'show data_directory');
  const data = String(row?.['data_directory']);
  for (const [name, text] of [
    ['server.crt', pair.certificatePem],
    ['server.key', pair.privateKeyPem],
  ] as const) {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    // As root the server runs as `nobody`.
    if (process.getuid?.() === 0) chownSync(join(data, name), 65_534, 65_534);
  }
  await sql('alter system set ssl = on');
  await postgres.stop();
  await postgres.start();
}

test('T-001 with PostgreSQL and Nexus too: directory, schema tool and engine speak TLS 1.3 to the database', {
  skip,
}, async () => {
  // Both run in this process, and what it listens on is looked into.
  await closeHouse();
  site = await makeSite();
  untilTheEnd(async () => site.close());
  await site.makeCa('orders');
  await startPostgres();
  const { host, port, user } = postgres.connection('postgres');
  const database = new Map([['postgres', [port]]]);
  const server = (tls: string): string =>
    `{ kind: postgres, host: ${host}, port: ${port}, user: ${user}, password: 'file:password', tls: { ${tls} } }`;
  // The engine checks for the host's name, whatever it is told.
  const storage = server('caFile: database-ca.pem');
  const configure = (audit: string, serverName = 'database.test'): void =>
    site.configure({
      namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, audit: ${audit} }`],
      more: `directory: ${server(`caFile: database-ca.pem, serverName: ${serverName}`)}
engine: { nexus: { enabled: true }, storage: ${storage} }`,
    });
  const start = async (): Promise<Served> => {
    const begun = await serveSite(site);
    untilTheEnd(() => begun.serving.stop(500));
    return begun;
  };
  configure('relaxed', 'other.test');
  await assert.rejects(start());
  configure('relaxed');
  // From before the start: the schema is made there.
  const whole = await record(database);
  const served = await start();
  const { platform } = served.serving;
  const ports = portsOf(platform, site.home);
  await assertListeners(platform, ports);
  const capture = await record(ports);
  const endpoint = site.endpoint(served.grpc, { [ORDERS]: 'orders' });
  await runQuickstart(endpoint);
  configure('strict');
  site.putServer(await site.issueServer());
  await served.serving.reload();
  assert.equal(platform.directory.snapshot().namespaces.get(ORDERS)?.auditMode, 'strict');
  await killEngine(platform, endpoint);
  await runQuickstart(endpoint);
  await dialSilent(site.home, new Map([['engine.nexus', ports.get('engine.nexus') ?? []]]), []);
  const inside = await capture.stop();
  const toDatabase = await whole.stop();
  assert.deepEqual([...faultsOf(inside, ports), ...faultsOf(toDatabase, database)], []);
  assert.ok(seenOf(inside, ports).includes('engine.nexus'));
  // The directory's pool and listener, the tool's and the engine's connections.
  assert.ok(toDatabase.length >= 10, `${toDatabase.length} connections to the database`);
  const users = await sql(`select distinct coalesce(nullif(application_name, ''), 'engine') as name, version
    from pg_stat_ssl join pg_stat_activity using (pid) where client_port > 0 and pid <> pg_backend_pid()`);
  assert.deepEqual(
    users.map(({ version }) => version),
    users.map(() => 'TLSv1.3'),
  );
  assert.ok(users.some(({ name }) => name === 'gatehouse') && users.length >= 2, JSON.stringify(users));
});
