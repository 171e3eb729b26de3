import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { silentLog } from '#base/runtime/log';
import { callEngine, type EngineAnswer } from './engine-call.ts';
import { buildDynamicConfig } from './engine-dynamic-config.ts';
import type { EngineHandle, EngineState } from './engine-handle.ts';
import { engineHome } from './engine-home.ts';
import {
  COUNT_WORKFLOWS,
  DESCRIBE_NAMESPACE,
  namespaceRequest,
  REGISTER_NAMESPACE,
  registerNamespaceRequest,
} from './engine-messages.ts';
import type { EngineRole } from './engine-tokens.ts';
import { type EngineBinary, findEngine, PINNED_ENGINE_VERSION } from './find-engine.ts';
import { isAlive, waitUntilGone } from './process-signals.ts';
import { registerNamespace } from './register-namespace.ts';
import { startEngine } from './supervise-engine.ts';

const SOURCES = join(import.meta.dirname, '..', '..');

let root: string;
let binary: EngineBinary;
let engine: EngineHandle;

/** The real server, from the cache alone: a test must not build for five minutes, nor pass without it. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-test-'));
  binary = await findEngine({
    version: PINNED_ENGINE_VERSION,
    cacheFolder: process.env['GATEHOUSE_CACHE'] ?? join(homedir(), '.cache', 'gatehouse'),
    path: '',
    progress: () => undefined,
  });
  engine = await startEngine({ home: join(root, 'home'), binary, log: silentLog });
});
after(async () => {
  await engine?.stop();
  await rm(root, { recursive: true, force: true });
});

function call(
  path: string,
  message: Uint8Array,
  namespaceId: string,
  role: EngineRole,
): Promise<EngineAnswer> {
  return callEngine(engine, path, message, engine.tokens.mintToken(namespaceId, role));
}

async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const endsAt = performance.now() + limitMs;
  while (!(await condition())) {
    assert.ok(performance.now() < endsAt, `waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Process ids of every engine that was started on this home. */
async function enginesOf(home: string): Promise<number[]> {
  const file = engineHome(home).configFile;
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words[0] === binary.path && words.includes(file)) found.push(Number(name));
  }
  return found;
}

async function guardOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
}

test('T-099 a started engine is closed wherever it must be, and serves the gateway', async () => {
  assert.equal(engine.state(), 'ready');
  assert.equal(engine.version, '1.31.2');
  const checks = await engine.selfTest();
  assert.deepEqual(
    checks.filter((check) => !check.held),
    [],
  );
  for (const needed of [
    'the gateway certificate is served',
    'the frontend with TLS 1.1',
    'a token for another audience',
    'history port with the gateway certificate',
    'worker membership port in plain text',
    'no port on the IPv6 loopback',
    'no HTTP port',
  ]) {
    assert.ok(
      checks.some((check) => check.check === needed),
      needed,
    );
  }
});

test('T-100 every file of the engine is its owner’s alone, its database too', async () => {
  const home = engineHome(join(root, 'home'));
  for (const folder of [home.root, home.data, home.pki, home.logFolder]) {
    assert.equal((await stat(folder)).mode & 0o777, 0o700, folder);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      assert.equal((await stat(join(folder, entry.name))).mode & 0o777, 0o600, entry.name);
    }
  }
});

test('T-100 the engine is given nothing of our environment, and no CA but ours as a root', async () => {
  const text = await readFile(`/proc/${engine.pid}/environ`, 'utf8');
  const names = text
    .split('\0')
    .filter(Boolean)
    .map((line) => line.split('=')[0]);
  assert.deepEqual(
    names.filter(
      (name) =>
        !['TEMPORAL_VERSION_CHECK_DISABLED', 'HOME', 'PWD', 'OLDPWD', '_', 'SHLVL'].includes(name ?? ''),
    ),
    ['SSL_CERT_FILE', 'SSL_CERT_DIR'],
  );
  const { pki } = engineHome(join(root, 'home'));
  assert.ok(text.includes(`SSL_CERT_FILE=${join(pki, 'internal-ca.crt')}\0`));
  assert.ok(text.includes(`SSL_CERT_DIR=${join(pki, 'no-other-roots')}\0`));
  await assert.rejects(stat(join(pki, 'no-other-roots')));
});

test('every key of the dynamic configuration is known to the engine, and a misspelt one would be told', async () => {
  const file = engineHome(join(root, 'home')).dynamicConfigFile;
  const ask = async (path: string): Promise<string> => {
    const { stdout, stderr } = await promisify(execFile)(binary.path, ['validate-dynamic-config', path]);
    return (stdout + stderr).replace(path, '').trim();
  };
  assert.equal(await ask(file), '');
  const wrong = join(root, 'wrong.yaml');
  await (await import('node:fs/promises')).writeFile(
    wrong,
    buildDynamicConfig().replace('enableChasm', 'enableKasm'),
  );
  assert.match(await ask(wrong), /enableKasm/i);
});

test('a namespace is registered once, under its public id, and found again', async () => {
  const { engineId: first, existed } = await registerNamespace(engine, {
    id: 'alpha.local',
    retentionDays: 1,
  });
  assert.match(first, /^[0-9a-f-]{36}$/);
  assert.equal(existed, false);
  assert.deepEqual(await registerNamespace(engine, { id: 'alpha.local', retentionDays: 3 }), {
    engineId: first,
    existed: true,
  });
});

test('T-057 a token opens its own namespace and role, and nothing else', async () => {
  await registerNamespace(engine, { id: 'beta.local', retentionDays: 1 });
  const status = async (namespace: string, tokenFor: string, role: EngineRole): Promise<number> =>
    (await call(COUNT_WORKFLOWS, namespaceRequest(namespace), tokenFor, role)).status;
  assert.equal(await status('beta.local', 'beta.local', 'write'), 0);
  assert.equal(await status('beta.local', 'alpha.local', 'write'), 7);
  assert.equal(await status('no.such', 'alpha.local', 'admin'), 7, 'nor tells whether another exists');
  const register = registerNamespaceRequest('gamma.local', 86_400);
  assert.equal((await call(REGISTER_NAMESPACE, register, 'alpha.local', 'admin')).status, 7);
  assert.equal(
    (await call(DESCRIBE_NAMESPACE, namespaceRequest('beta.local'), 'alpha.local', 'read')).status,
    7,
  );
});

test('F-01 an engine killed with -9 is back within 10 s, at the same address, with its data', async () => {
  const before = engine.pid;
  assert.ok(before !== undefined);
  const seen: EngineState[] = [];
  const unsubscribe = engine.onState((state) => seen.push(state));
  const { port } = engine.address;
  process.kill(before, 'SIGKILL');
  await until('restart', () => seen.at(-1) === 'ready');
  unsubscribe();
  assert.deepEqual(seen, ['restarting', 'ready']);
  assert.notEqual(engine.pid, before);
  assert.equal(engine.address.port, port);
  assert.equal(
    (await call(COUNT_WORKFLOWS, namespaceRequest('alpha.local'), 'alpha.local', 'read')).status,
    0,
  );
});

test('F-01 a guard killed with -9 takes its engine with it, and one engine comes back', async () => {
  const before = engine.pid;
  assert.ok(before !== undefined);
  process.kill(await guardOf(before), 'SIGKILL');
  await until('the death to be seen', () => engine.state() === 'restarting');
  await until('restart', () => engine.state() === 'ready', 20_000);
  assert.equal(isAlive(before), false);
  assert.deepEqual(await enginesOf(join(root, 'home')), [engine.pid]);
});

test('a parent killed with -9 leaves no engine, and the next start on its home has the data', async () => {
  const home = join(root, 'orphan');
  const code = `
    import { startEngine } from '#core/engine/supervise-engine';
    import { registerNamespace } from '#core/engine/register-namespace';
    import { silentLog } from '#base/runtime/log';
    const engine = await startEngine({ home: ${JSON.stringify(home)}, binary: ${JSON.stringify(binary)}, log: silentLog });
    await registerNamespace(engine, { id: 'kept.local', retentionDays: 1 });
    console.log(engine.pid);
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code], {
    cwd: SOURCES,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  parent.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until('the engine of the other process', () => /^\d+\n/.test(output), 20_000);
  const pid = Number.parseInt(output, 10);
  assert.deepEqual(await enginesOf(home), [pid]);
  parent.kill('SIGKILL');
  assert.ok(await waitUntilGone(pid, 15_000), 'the engine outlived its parent');
  assert.deepEqual(await enginesOf(home), []);

  const again = await startEngine({ home, binary, log: silentLog });
  const token = again.tokens.mintToken('kept.local', 'read');
  assert.equal((await callEngine(again, COUNT_WORKFLOWS, namespaceRequest('kept.local'), token)).status, 0);
  const last = again.pid;
  await again.stop();
  assert.equal(again.state(), 'stopped');
  assert.ok(last !== undefined && !isAlive(last));
  assert.deepEqual(await enginesOf(home), []);
});
