import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findEngine, PINNED_ENGINE_VERSION } from '../../packages/gatehouse/src/core/engine/find-engine.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../scripts/descriptors', import.meta.url));
const committed = (path: string): Buffer => readFileSync(new URL(`../../${path}`, import.meta.url));

/** What the Go module publishes, dumped anew (scripts/descriptors/README.md). */
async function dump(modFile: string): Promise<Buffer> {
  const { stdout } = await run('nice', ['go', 'run', '-mod=readonly', `-modfile=${modFile}`, '.'], {
    cwd: folder,
    env: { ...process.env, GOTOOLCHAIN: 'local' },
    encoding: 'buffer',
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

for (const [what, path, modFile] of [
  ["the engine's", 'packages/gatehouse/data/engine-api.binpb', 'go.mod'],
  ["the newest clients'", 'scripts/descriptors/client-api.binpb', 'clients.mod'],
] as const) {
  test(`T-037 the descriptors of ${what} API are those of the Go module that publishes it`, async () => {
    const dumped = await dump(modFile);
    assert.ok(dumped.length > 100_000);
    assert.ok(
      dumped.equals(committed(path)),
      `${path} differs: make it again (scripts/descriptors/README.md)`,
    );
  });
}

/** The version of a module in a go.mod. */
function pinned(path: string, module: string): string | undefined {
  const pattern = new RegExp(`${module.replaceAll('.', '\\.')} (v\\S+)`);
  return pattern.exec(committed(path).toString('utf8'))?.[1];
}

test('T-037 the engine is built with the API of the descriptors, and with the decoder of the fuzz', async () => {
  const { path } = await findEngine({
    version: PINNED_ENGINE_VERSION,
    cacheFolder: process.env['GATEHOUSE_CACHE'] ?? join(homedir(), '.cache', 'gatehouse'),
    path: process.env['PATH'] ?? '',
    progress: () => undefined,
    goEnvironment: process.env,
  });
  const { stdout } = await run('go', ['version', '-m', path]);
  const linked = (module: string): string | undefined =>
    stdout
      .split('\n')
      .map((line) => line.trim().split('\t'))
      .find(([kind, name]) => kind === 'dep' && name === module)?.[2];
  const api = linked('go.temporal.io/api');
  assert.equal(pinned('scripts/descriptors/go.mod', 'go.temporal.io/api'), api);
  assert.equal(pinned('test/parts/godecode/go.mod', 'go.temporal.io/api'), api);
  const decoder = 'google.golang.org/protobuf';
  assert.equal(pinned('test/parts/godecode/go.mod', decoder), linked(decoder));
});
