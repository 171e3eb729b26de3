import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { encode, openRawClient, WORKFLOW_SERVICE } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { obtainGrpcurl } from '../parts/grpcurl.ts';
import { obtainTemporalCli } from '../parts/temporal-cli.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'gatehouse-up-'));
/** With a space: what is printed must be quoted. */
const home = join(root, 'my home');
const READY = /Gatehouse is up\.[\s\S]*Stop with Ctrl-C/;
const started: GatehouseProcess[] = [];

after(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL');
    await ended;
  }
  // What a failed test has left: only processes of this run have its folder in their command line.
  for (const pid of processesOf(root)) process.kill(pid, 'SIGKILL');
  await until('no process left', () => processesOf(root).length === 0, 15_000);
  rmSync(root, { recursive: true, force: true });
});

function up(args: readonly string[], environment?: Record<string, string>): GatehouseProcess {
  const started_ = startGatehouse(['up', ...args], environment);
  started.push(started_);
  return started_;
}

function endpoint() {
  return JSON.parse(readFileSync(join(home, 'endpoint.json'), 'utf8'));
}

async function call(namespace: string, method: string, request: string, fields: Record<string, unknown>) {
  const found = endpoint().namespaces.find(({ id }: { id: string }) => id === namespace);
  const client = openRawClient({ endpoint: endpoint(), certificateOf: namespace, serverName: found.host });
  try {
    return await client.call(`${WORKFLOW_SERVICE}${method}`, encode(`workflowservice.v1.${request}`, fields));
  } finally {
    client.close();
  }
}

let first: GatehouseProcess;

test('a first up on an empty home shows its steps, and makes the files of the plan with their modes', async () => {
  first = up(['--port', '0'], { GATEHOUSE_HOME: home });
  await first.printed(READY);
  assert.match(first.stdout(), /✓ Preparing certificates \(\d+\.\d s\)\n/);
  assert.match(first.stdout(), /✓ Starting the Temporal Server/);
  const { serverCa, grpc, https, namespaces, ...rest } = endpoint();
  assert.deepEqual(rest, {
    account: 'local',
    domain: 'gatehouse.localhost',
    region: 'aws-local',
    control: null,
    console: null,
    metrics: null,
    apiKeyFile: null,
  });
  assert.equal(serverCa, join(home, 'ca.pem'));
  assert.match(`${grpc} ${https}`, /^127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+$/);
  const folder = join(home, 'namespaces', 'default.local');
  assert.deepEqual(namespaces, [
    {
      id: 'default.local',
      host: 'default.local.gatehouse.localhost',
      clientCert: join(folder, 'client.pem'),
      clientKey: join(folder, 'client.key'),
    },
  ]);
  assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem', 'client.key', 'client.pem']);
  const listed = readdirSync(home, { recursive: true, withFileTypes: true });
  for (const entry of listed) {
    const path = join(entry.parentPath, entry.name);
    const mode = statSync(path).mode & 0o777;
    const shown = `${relative(home, path)} ${mode.toString(8)}`;
    if (entry.isDirectory()) assert.equal(mode, 0o700, shown);
    else assert.equal(mode & 0o077, 0, shown);
  }
  for (const name of ['logs', 'audit', 'endpoint.json', 'ca.pem'])
    assert.ok(readdirSync(home).includes(name), name);
});

test('the commands that up prints work as they are printed', async () => {
  const output = first.stdout();
  const part = (from: string, to: string): string =>
    output.slice(output.indexOf(`\n${from}\n`) + from.length + 2, output.indexOf(`\n${to}`));
  const [temporal, grpcurl] = [await obtainTemporalCli(), await obtainGrpcurl()];
  const env = { PATH: `${dirname(temporal)}:${dirname(grpcurl)}:/usr/bin:/bin`, HOME: root };
  const listed = await run('/bin/sh', ['-ec', part('Temporal CLI', 'grpcurl')], { env });
  assert.equal(listed.stderr, '');
  const counted = await run('/bin/sh', ['-ec', part('grpcurl', 'TypeScript SDK')], { env });
  assert.deepEqual(
    Object.keys(JSON.parse(counted.stdout)).filter((key) => key !== 'count'),
    [],
  );
  const script = join(root, 'printed.mjs');
  writeFileSync(script, part('TypeScript SDK', 'Stop with'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'));
  const { stdout } = await run(process.execPath, [script], { env });
  assert.match(stdout, /count: 0/);
});

test('a second up on one home says so and stops; the first goes on', async () => {
  const second = up(['--home', home, '--port', '0']);
  assert.equal(await second.ended, 1);
  assert.equal(
    second.stderr(),
    `gatehouse: another gatehouse process (${first.child.pid}) runs on ${home}; stop it, or give another --home\n`,
  );
  assert.equal((await call('default.local', 'GetSystemInfo', 'GetSystemInfoRequest', {})).status, 0);
});

test('doctor finds a home that runs well, its engine too', async () => {
  const doctor = startGatehouse(['doctor', '--home', home]);
  assert.equal(await doctor.ended, 0, doctor.stdout());
  assert.match(
    doctor.stdout(),
    /✓ the engine runs \(process \d+\) and is closed where it must be \(\d\d checks\)/,
  );
  assert.match(doctor.stdout(), /✓ the engine is Temporal Server 1\.31\.\d+/);
  assert.doesNotMatch(doctor.stdout(), /[✗!]/);
});

test('a port that is taken is told before anything is started', async () => {
  const port = endpoint().grpc.split(':')[1];
  const clash = up(['--home', join(root, 'clash'), '--port', port]);
  assert.equal(await clash.ended, 1);
  const place = `127\\.0\\.0\\.1:${port}`;
  assert.match(clash.stderr(), new RegExp(`^gatehouse: --port: ${place} is in use by another process`, 'm'));
});

test('Ctrl-C drains and stops everything, and leaves no process behind', async () => {
  const start = await call('default.local', 'StartWorkflowExecution', 'StartWorkflowExecutionRequest', {
    namespace: 'default.local',
    workflowId: 'kept',
    requestId: 'kept',
    workflowType: { name: 'any' },
    taskQueue: { name: 'any' },
  });
  assert.equal(start.status, 0, start.message);
  first.child.kill('SIGINT');
  assert.equal(await first.ended, 0, first.stderr());
  assert.match(first.stdout(), /Stopping: running calls may finish …\nStopped\.\n$/);
  assert.deepEqual(processesOf(home), []);
});

let second: GatehouseProcess;

test('a later up is ready in seconds, keeps all data, and adds the namespace that it is given', async () => {
  second = up(['--home', home, '--port', '0', '--namespace', 'orders', '--json']);
  const [line] = await second.printed(/^\{.*\}\n/m, 15_000);
  assert.deepEqual(JSON.parse(line), endpoint());
  assert.deepEqual(
    endpoint().namespaces.map(({ id }: { id: string }) => id),
    ['default.local', 'orders.local'],
  );
  const kept = await call('default.local', 'DescribeWorkflowExecution', 'DescribeWorkflowExecutionRequest', {
    namespace: 'default.local',
    execution: { workflowId: 'kept' },
  });
  assert.equal(kept.status, 0, kept.message);
  const fresh = await call('orders.local', 'CountWorkflowExecutions', 'CountWorkflowExecutionsRequest', {
    namespace: 'orders.local',
  });
  assert.equal(fresh.status, 0, fresh.message);
});

test('F-13 a kill -9 leaves no engine behind, and the next up works with every namespace of before', async () => {
  const engine = Number(readFileSync(join(home, 'engine', 'engine.pid'), 'utf8'));
  assert.ok(processesOf(home).includes(engine));
  second.child.kill('SIGKILL');
  await until('the engine has ended too', () => processesOf(home).length === 0, 15_000);
  const third = up(['--home', home, '--port', '0', '--json']);
  await third.printed(/^\{.*\}\n/m);
  assert.deepEqual(
    endpoint().namespaces.map(({ id }: { id: string }) => id),
    ['default.local', 'orders.local'],
  );
  third.child.kill('SIGTERM');
  assert.equal(await third.ended, 0);
  assert.deepEqual(processesOf(home), []);
});

test('the end of npm, however it comes, is the end of everything that it started', async () => {
  const npm = spawn('npm', ['run', '--silent', 'up', '--', '--home', home, '--port', '0', '--json'], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(npm.stdout, 'data');
  assert.ok(processesOf(home).length >= 2);
  npm.kill('SIGKILL');
  await until('all have ended', () => processesOf(home).length === 0, 20_000);
});

test('without any engine the error names the three ways to have one', async () => {
  const lone = up(['--home', join(root, 'lone'), '--port', '0'], {
    PATH: '',
    GATEHOUSE_CACHE: join(root, 'cache'),
  });
  assert.equal(await lone.ended, 1);
  const error =
    lone
      .stderr()
      .split('\n')
      .find((line) => line.startsWith('gatehouse:')) ?? '';
  for (const way of [/engine\.address/, /temporal-server 1\.31\.\d+ on PATH/, /install Go/])
    assert.match(error, way);
});

test('T-098 a server with a known advisory is refused with its number', async () => {
  const path = fakeProgram('old', 'temporal-server', 'echo "temporal version 1.29.1"');
  const old = up(['--home', join(root, 'old-home'), '--port', '0'], {
    PATH: path,
    GATEHOUSE_CACHE: join(root, 'cache'),
  });
  assert.equal(await old.ended, 1);
  assert.match(old.stdout() + old.stderr(), /Temporal Server 1\.29\.1 is not supported.*(CVE|GHSA)-/);
});

test('a stop during the first build ends the build too', async () => {
  const path = fakeProgram('slow', 'go', 'echo $$ > "$GOBIN/../pid"; exec /bin/sleep 600');
  const building = up(['--home', join(root, 'building'), '--port', '0'], {
    PATH: path,
    GATEHOUSE_CACHE: join(root, 'cache'),
  });
  await building.printed(/building Temporal Server/);
  const pidFile = join(root, 'cache', 'engine', 'pid');
  await until('the build runs', () => statSync(pidFile, { throwIfNoEntry: false }) !== undefined);
  building.child.kill('SIGTERM');
  assert.equal(await building.ended, 143);
  assert.match(building.stderr(), /gatehouse: stopped before it was up; nothing is left running/);
  const pid = readFileSync(pidFile, 'utf8').trim();
  await until('the build has ended', () => statSync(`/proc/${pid}`, { throwIfNoEntry: false }) === undefined);
});

/** @returns a folder for PATH. */
function fakeProgram(folder: string, name: string, body: string): string {
  const path = join(root, folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(path, name), 0o755);
  return path;
}
