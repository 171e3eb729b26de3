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
import { findQueryFault, QUERY_LENGTH_MAX } from './query-rules.ts';
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

/** CVE-2026-16651 and -65651: what the rules let through leaves the engine alive, and what kills it is refused. */
test('T-098 a query that passes the rules does not end the engine, and those that do are refused', async () => {
  const pid = engine.pid;
  const token = (): string => engine.tokens.mintToken('alpha.local', 'read');
  const service = '/temporal.api.workflowservice.v1.WorkflowService';
  for (const query of [
    '~'.repeat(QUERY_LENGTH_MAX),
    'NOT '.repeat(QUERY_LENGTH_MAX / 4),
    '('.repeat(QUERY_LENGTH_MAX),
    '/*',
    '/* !1*/ WorkflowId = "a"',
    "WorkflowId = '/* a */' -- b",
  ]) {
    assert.equal(findQueryFault(query), undefined);
    for (const [method, field] of [
      ['CountWorkflowExecutions', 2],
      ['ListWorkers', 4],
    ] as const) {
      const request = message(text(1, 'alpha.local'), text(field, query));
      await callEngine(engine, `${service}/${method}`, request, token(), 10_000);
    }
  }
  assert.equal(engine.pid, pid);
  assert.equal(engine.state(), 'ready');
  for (const query of ['/*!*/', '/*!1*/', 'WorkflowId = "a" /*!12345*/', 'x'.repeat(QUERY_LENGTH_MAX + 1)]) {
    assert.notEqual(findQueryFault(query), undefined, query.slice(0, 40));
  }
  const deadly = message(text(1, 'alpha.local'), text(4, '/*!*/'));
  const answer = await callEngine(engine, `${service}/ListWorkers`, deadly, token(), 10_000);
  assert.equal(answer.status, 14, 'the pinned engine no longer dies of it: the advisory can leave the table');
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
