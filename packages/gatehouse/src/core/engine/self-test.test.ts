import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base/runtime/clock';
import { EngineError } from './engine-error.ts';
import { chooseEnginePorts, type EnginePorts } from './engine-ports.ts';
import { createSigningKeys, type SigningKeys } from './engine-signing-keys.ts';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';
import { requireAllHeld, runSelfTest } from './self-test.ts';
import type { SelfTestCheck, SelfTestTarget } from './self-test-check.ts';

let keys: SigningKeys;
before(async () => {
  keys = await createSigningKeys(systemClock);
});

function target(fake: FakeEngine): SelfTestTarget {
  return {
    address: { host: '127.0.0.1', port: fake.port },
    tls: fake.tls,
    keys,
    clock: systemClock,
    nexusEnabled: false,
  };
}

const open = (checks: readonly SelfTestCheck[]): string[] =>
  checks.filter((check) => !check.held).map((check) => check.check);

test('T-099 a frontend that asks nobody for a certificate is found out', async () => {
  const fake = await startFakeEngine({ asksForCertificate: false, status: () => 7 });
  const found = open(await runSelfTest(target(fake)));
  await fake.close();
  assert.ok(found.includes('the frontend without a client certificate'));
  assert.ok(found.includes('the frontend with a certificate of another CA'));
});

test('T-099 an engine that takes any token is found out, and one that takes none', async () => {
  const lax = await startFakeEngine({ status: () => 5 });
  const found = open(await runSelfTest(target(lax)));
  await lax.close();
  for (const check of ['no token', 'an expired token', 'a token of another namespace', 'an unsigned token']) {
    assert.ok(found.includes(check), check);
  }
  const deaf = await startFakeEngine({ status: () => 7 });
  assert.deepEqual(open(await runSelfTest(target(deaf))), ['a valid token is accepted']);
  await deaf.close();
});

test('the start fails, naming each check that did not hold', () => {
  const held = { check: 'a', held: true, detail: 'x' };
  requireAllHeld([held]);
  assert.throws(
    () => requireAllHeld([held, { check: 'no HTTP port', held: false, detail: 'answered' }]),
    (error: unknown) => error instanceof EngineError && /no HTTP port \(answered\)/.test(error.message),
  );
});

/** Two listeners that no engine should have, on this process: one in the clear, one on every address. */
test('T-099 a port in plain text, on another address or forgotten is found out', async () => {
  const root = await mkdtemp(join(tmpdir(), 'self-test-'));
  after(() => rm(root, { recursive: true, force: true }));
  const ports: EnginePorts = await chooseEnginePorts(join(root, 'ports.json'));
  const talkative = createServer((socket) => socket.on('error', () => undefined).end('hello'));
  const listen = (server: ReturnType<typeof createServer>, port: number, host: string): Promise<void> =>
    new Promise((resolve) => server.listen(port, host, resolve));
  const everywhere = createServer((socket) => socket.on('error', () => undefined).end('hello'));
  await listen(talkative, ports.grpc.history, '127.0.0.1');
  await listen(everywhere, ports.metrics, '::');
  const fake = await startFakeEngine({ status: () => 7 });
  const found = open(await runSelfTest({ ...target(fake), local: { ports, pid: process.pid } }));
  await fake.close();
  talkative.close();
  everywhere.close();
  assert.ok(found.includes('history port in plain text'));
  assert.ok(found.includes('no port on the IPv6 loopback'));
  assert.ok(found.includes('the engine listens on its own loopback ports only'));
});
