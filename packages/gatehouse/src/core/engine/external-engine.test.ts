import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { silentLog } from '#base/runtime/log';
import { EngineError } from './engine-error.ts';
import { chooseEnginePorts, listPorts } from './engine-ports.ts';
import { connectExternalEngine, type ExternalEngineOptions } from './external-engine.ts';
import { type FakeEngine, type FakeEngineOptions, startFakeEngine } from './fake-engine.ts';

let root: string;
let jwksPort: number;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'external-'));
  jwksPort = listPorts(await chooseEnginePorts(join(root, 'ports.json')))[0] ?? 0;
});
after(() => rm(root, { recursive: true, force: true }));

/** A namespace-checking authorizer in small: reads our keys over HTTP, as the engine does. */
function carefulStatus(): (authorization: string | undefined) => Promise<number> {
  const jwks = createRemoteJWKSet(new URL(`http://127.0.0.1:${jwksPort}/jwks.json`), { cooldownDuration: 0 });
  return async (authorization) => {
    try {
      const token = (authorization ?? '').replace('Bearer ', '');
      const { payload } = await jwtVerify(token, jwks, { audience: 'gatehouse-engine' });
      const [permission] = payload['permissions'] as string[];
      return /^gatehouse-(readiness|self-test):/.test(permission ?? '') ? 5 : 7;
    } catch {
      return 7;
    }
  };
}

/** Closed at the end of the test, however it ends. */
async function open(t: TestContext, fake: FakeEngineOptions): Promise<FakeEngine> {
  const started = await startFakeEngine(fake);
  t.after(() => started.close());
  return started;
}

async function options(
  fake: FakeEngine,
  extra: Partial<ExternalEngineOptions> = {},
): Promise<ExternalEngineOptions> {
  const files = { caFile: fake.tls.ca, certFile: fake.tls.cert, keyFile: fake.tls.key };
  for (const [name, pem] of Object.entries(files)) await writeFile(join(root, name), pem);
  return {
    address: { host: '127.0.0.1', port: fake.port },
    serverName: fake.tls.serverName,
    caFile: join(root, 'caFile'),
    certFile: join(root, 'certFile'),
    keyFile: join(root, 'keyFile'),
    jwks: { host: '127.0.0.1', port: jwksPort },
    log: silentLog,
    readyLimitMs: 2_000,
    ...extra,
  };
}

test('a configured engine gives the same handle as one of ours, without a process', async (t) => {
  const fake = await open(t, { status: carefulStatus() });
  const engine = await connectExternalEngine(await options(fake));
  assert.equal(engine.version, '1.31.5');
  assert.equal(engine.state(), 'ready');
  assert.equal(engine.pid, undefined);
  assert.equal(engine.tls.ca, fake.tls.ca);
  assert.match(engine.tokens.mintToken('alpha.local', 'write'), /^Bearer /);
  await engine.stop();
  assert.equal(engine.state(), 'stopped');
});

test('T-098 a configured engine with an open advisory is refused unless it is accepted by name', async (t) => {
  const fake = await open(t, { version: '1.31.4', status: carefulStatus() });
  await assert.rejects(connectExternalEngine(await options(fake)), /CVE-2026-120091.*1\.31\.5/);
  const engine = await connectExternalEngine(
    await options(fake, { acceptedAdvisories: ['CVE-2026-120091'] }),
  );
  assert.deepEqual(
    engine.verdict.accepted.map((row) => row.id),
    ['CVE-2026-120091'],
  );
  await engine.stop();
});

test('T-099 a configured engine that takes any token is refused', async (t) => {
  const fake = await open(t, { status: () => 5 });
  await assert.rejects(connectExternalEngine(await options(fake)), /open where it must be closed.*no token/);
});

test('a configured engine that does not take our tokens is not ready, and the fault says what to set', async (t) => {
  const fake = await open(t, { status: () => 7 });
  await assert.rejects(
    connectExternalEngine(await options(fake, { readyLimitMs: 200 })),
    (error: unknown) =>
      error instanceof EngineError && /keySourceURIs must name http:\/\/127/.test(error.message),
  );
});

test('an empty CA file is refused: it would make the public roots trusted', async (t) => {
  const fake = await open(t, { status: () => 5 });
  const made = await options(fake);
  await writeFile(made.caFile, '\n');
  await assert.rejects(connectExternalEngine(made), /holds no certificate/);
});
