import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, chmod, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import { digestFile } from './engine-digest.ts';
import { type EngineHome, engineHome } from './engine-home.ts';
import { rotateLog } from './engine-log.ts';
import { createSupervisor, type EngineSupervisor } from './engine-supervisor.ts';
import { isAlive, waitUntilGone } from './process-signals.ts';
import { recordEngine, stopStaleEngine } from './stale-engine.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'supervisor-'));
});
after(() => rm(root, { recursive: true, force: true }));

const LIVES = '#!/bin/sh\nexec /bin/sleep 600\n';

async function makeHome(name: string): Promise<EngineHome> {
  const home = engineHome(join(root, name));
  for (const folder of [home.root, home.data, home.logFolder]) await makePrivateFolder(folder);
  return home;
}

async function supervise(
  home: EngineHome,
  script: string,
  missing?: string,
): Promise<{ supervisor: EngineSupervisor; path: string }> {
  const path = join(home.root, 'temporal-server');
  await writeFile(path, script);
  await chmod(path, 0o755);
  const supervisor = createSupervisor({
    home,
    binary: { path, version: '1.31.2', sha256: await digestFile(path), source: 'cache' },
    log: silentLog,
    waitUntilReady: async () => missing,
  });
  return { supervisor, path };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < endsAt, `waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function pidOf(supervisor: EngineSupervisor): number {
  const pid = supervisor.pid();
  assert.ok(pid !== undefined);
  return pid;
}

test('T-097 a binary changed while the engine ran is not started again', async () => {
  const { supervisor, path } = await supervise(await makeHome('tampered'), LIVES);
  await supervisor.start();
  supervisor.keepRunning();
  await writeFile(`${path}.new`, `${LIVES}# changed\n`);
  await chmod(`${path}.new`, 0o755);
  await (await import('node:fs/promises')).rename(`${path}.new`, path);
  process.kill(pidOf(supervisor), 'SIGKILL');
  await until('failure', () => supervisor.states.state() === 'failed');
  assert.equal(supervisor.pid(), undefined);
  await supervisor.stop();
  assert.equal(supervisor.states.state(), 'stopped');
});

test('an engine that does not become ready is ended, and the fault says what was missing', async () => {
  const { supervisor } = await supervise(await makeHome('unready'), LIVES, 'a write token: status 7');
  await assert.rejects(supervisor.start(), /a write token: status 7/);
  assert.equal(supervisor.pid(), undefined);
});

test('an engine that ignores TERM is killed', async () => {
  const home = await makeHome('stubborn');
  const { supervisor } = await supervise(
    home,
    '#!/bin/sh\ntrap "" TERM\necho armed\nwhile :; do /bin/sleep 1; done\n',
  );
  await supervisor.start();
  const pid = pidOf(supervisor);
  while (!(await readFile(home.logFile, 'utf8')).includes('armed'))
    await new Promise((go) => setTimeout(go, 10));
  await supervisor.stop(500);
  assert.equal(isAlive(pid), false);
});

test('stop during a restart leaves nothing running', async () => {
  const { supervisor } = await supervise(await makeHome('stopped'), LIVES);
  await supervisor.start();
  supervisor.keepRunning();
  for (let round = 0; round < 3; round += 1) {
    const pid = pidOf(supervisor);
    process.kill(pid, 'SIGKILL');
    await until('restart', () => supervisor.states.state() === 'ready' && (supervisor.pid() ?? pid) !== pid);
  }
  const last = pidOf(supervisor);
  process.kill(last, 'SIGKILL');
  await until('the death to be seen', () => supervisor.states.state() === 'restarting');
  await Promise.all([supervisor.stop(), supervisor.stop()]);
  assert.equal(supervisor.states.state(), 'stopped');
  assert.equal(supervisor.pid(), undefined);
});

test('an engine that an earlier run left is ended, and a stranger with its process id is not', async () => {
  const home = await makeHome('stale');
  const ours = spawn('/bin/sh', ['-c', 'while :; do /bin/sleep 1; done', home.configFile], {
    detached: true,
  });
  const stranger = spawn('/bin/sleep', ['600']);
  assert.ok(ours.pid !== undefined && stranger.pid !== undefined);
  await recordEngine(home, stranger.pid);
  assert.equal(await stopStaleEngine(home), undefined);
  assert.ok(isAlive(stranger.pid));
  await recordEngine(home, ours.pid);
  assert.equal(await stopStaleEngine(home), ours.pid);
  assert.ok(await waitUntilGone(ours.pid, 1000));
  assert.equal(await stopStaleEngine(home), undefined);
  stranger.kill('SIGKILL');
});

test('the log is put aside by size, stays 0600, and its writer goes on in the emptied file', async () => {
  const home = await makeHome('log');
  const writer = await open(home.logFile, 'a', 0o600);
  for (let round = 1; round <= 4; round += 1) {
    await writer.write(`${round}`.repeat(100));
    assert.equal(await rotateLog(home.logFile, 100, 3), true);
  }
  await writer.write('last');
  await writer.close();
  assert.equal(await rotateLog(home.logFile, 100, 3), false);
  assert.deepEqual((await readdir(home.logFolder)).sort(), [
    'engine.log',
    'engine.log.1',
    'engine.log.2',
    'engine.log.3',
  ]);
  assert.equal(await readFile(home.logFile, 'utf8'), 'last');
  assert.equal(await readFile(`${home.logFile}.1`, 'utf8'), '4'.repeat(100));
  assert.equal(await readFile(`${home.logFile}.3`, 'utf8'), '2'.repeat(100));
  for (const name of await readdir(home.logFolder)) {
    assert.equal((await stat(join(home.logFolder, name))).mode & 0o777, 0o600, name);
  }
  await appendFile(home.logFile, 'x');
});
