import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { silentLog } from '#base/runtime/log';
import { callEngine, type EngineAnswer } from './engine-call.ts';
import type { EngineHandle } from './engine-handle.ts';
import { findEngine, PINNED_ENGINE_VERSION } from './find-engine.ts';
import { registerNamespace } from './register-namespace.ts';
import { startEngine } from './supervise-engine.ts';

let root: string;
let engine: EngineHandle;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'engine-held-'));
  const binary = await findEngine({
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

/**
 * CVE-2026-89139, on a version that has it: the attack gets as far as the registry of providers, where our
 * pin says no. Without the pin the same request reached the search for `timeout`, which an engine without a
 * PATH does not find either.
 */
test('T-098 a write token cannot make the engine run a command through a compute provider', async () => {
  await registerNamespace(engine, { id: 'alpha.local', retentionDays: 1 });
  for (const provider of ['subprocess', 'k8s']) {
    const marker = join(root, provider);
    const answer = await attackComputeProvider('alpha.local', provider, marker);
    assert.equal(answer.status, 3);
    assert.match(answer.message, /Could not instantiate compute provider/);
    await assert.rejects(stat(marker), { code: 'ENOENT' });
  }
});

/** Field writers for the few messages of this attack; numbers from temporal/api 1.62.8. */
const text = (field: number, value: string) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.LengthDelimited).string(value);
const nested =
  (field: number, ...parts: ((writer: BinaryWriter) => BinaryWriter)[]) =>
  (writer: BinaryWriter) => {
    writer.tag(field, WireType.LengthDelimited).fork();
    for (const part of parts) part(writer);
    return writer.join();
  };
const message = (...parts: ((writer: BinaryWriter) => BinaryWriter)[]): Uint8Array => {
  const writer = new BinaryWriter();
  for (const part of parts) part(writer);
  return writer.finish();
};

async function attackComputeProvider(
  namespace: string,
  provider: string,
  marker: string,
): Promise<EngineAnswer> {
  const service = '/temporal.api.workflowservice.v1.WorkflowService';
  const details = nested(
    2,
    nested(1, text(1, 'encoding'), text(2, 'json/plain')),
    text(2, JSON.stringify({ command: '/usr/bin/touch', args: marker })),
  );
  const group = nested(2, nested(3, text(1, provider), details), nested(4, text(1, 'no-sync')));
  const create = message(text(1, namespace), text(2, provider), text(5, `${provider}-1`));
  const version = message(
    text(1, namespace),
    nested(2, text(1, 'build-1'), text(2, provider)),
    nested(4, nested(1, text(1, 'default'), group)),
    text(5, `${provider}-2`),
  );
  const call = (method: string, request: Uint8Array): Promise<EngineAnswer> =>
    callEngine(engine, `${service}/${method}`, request, engine.tokens.mintToken(namespace, 'write'), 30_000);
  assert.equal((await call('CreateWorkerDeployment', create)).status, 0);
  return call('CreateWorkerDeploymentVersion', version);
}
