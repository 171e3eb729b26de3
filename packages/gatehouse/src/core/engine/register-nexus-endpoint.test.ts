import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '#base/runtime/log';
import { EngineError } from './engine-error.ts';
import type { EngineHandle } from './engine-handle.ts';
import { findEngine, PINNED_ENGINE_VERSION } from './find-engine.ts';
import { registerNamespace } from './register-namespace.ts';
import { registerNexusEndpoint } from './register-nexus-endpoint.ts';
import { startEngine } from './supervise-engine.ts';

let root: string;
let engine: EngineHandle;

/** The real server, from the cache alone: a test must not build for five minutes, nor pass without it. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-test-'));
  const binary = await findEngine({
    version: PINNED_ENGINE_VERSION,
    cacheFolder: process.env['GATEHOUSE_CACHE'] ?? join(homedir(), '.cache', 'gatehouse'),
    path: '',
    progress: () => undefined,
  });
  engine = await startEngine({ home: join(root, 'home'), binary, log: silentLog, nexusEnabled: true });
  await registerNamespace(engine, { id: 'alpha.local', retentionDays: 1 });
});
after(async () => {
  await engine?.stop();
  await rm(root, { recursive: true, force: true });
});

test('an endpoint is made once, and pointed elsewhere when it is wanted elsewhere', async () => {
  const wanted = { name: 'orders', namespace: 'alpha.local', taskQueue: 'handlers' };
  assert.equal(await registerNexusEndpoint(engine, wanted), 'made');
  assert.equal(await registerNexusEndpoint(engine, wanted), 'unchanged');
  assert.equal(await registerNexusEndpoint(engine, { ...wanted, name: 'orders-eu' }), 'made');
  const moved = { ...wanted, taskQueue: 'others' };
  assert.equal(await registerNexusEndpoint(engine, moved), 'changed');
  assert.equal(await registerNexusEndpoint(engine, moved), 'unchanged');
});

test('an endpoint of a namespace that does not exist is an error that names it', async () => {
  await assert.rejects(
    registerNexusEndpoint(engine, { name: 'lost', namespace: 'nobody.local', taskQueue: 'q' }),
    (error) => error instanceof EngineError && /endpoint lost: CreateNexusEndpoint/.test(error.message),
  );
});
