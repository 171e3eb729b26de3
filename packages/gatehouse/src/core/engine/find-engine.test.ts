import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { EngineError } from './engine-error.ts';
import { type FindEngineOptions, findEngine } from './find-engine.ts';
import { findSqlTool } from './find-sql-tool.ts';

const SUM = 'h1:0O4zQ0NGRit2Z32s1XUHfs9k8zSKqff2n1QvFttYN0M=';

let root: string;
let bin: string;
let cache: string;
let lines: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'find-engine-'));
  bin = join(root, 'bin');
  cache = join(root, 'cache');
  lines = [];
  await mkdir(bin);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function script(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
}

const server = (version: string): string => `echo "temporal version ${version}"`;

/** A `go` that writes what it is asked for into GOBIN, slowly enough to be interrupted. */
async function fakeGo(options: { version?: string; sum?: string; fails?: boolean } = {}): Promise<void> {
  const name = '$(case "$2" in *tools/sql*) echo sql;; *) echo server;; esac)';
  await script(
    join(bin, 'go'),
    options.fails
      ? 'echo "go: no such module" >&2; exit 1'
      : `if [ "$1" = version ]; then printf '\\tmod\\tgo.temporal.io/server\\tv1.31.2\\t%s\\n' "${options.sum ?? SUM}"; exit 0; fi
echo "$2 $GOTOOLCHAIN" >> ${root}/calls
target="$GOBIN/${name}"
printf '#!/bin/sh\\necho "temporal version ${options.version ?? '1.31.2'}"\\n' > "$target"
/bin/chmod 755 "$target"`,
  );
}

function options(extra: Partial<FindEngineOptions> = {}): FindEngineOptions {
  return { version: '1.31.2', cacheFolder: cache, path: bin, progress: (text) => lines.push(text), ...extra };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail('was let through'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EngineError, String(error));
  return error.message;
}

test('a configured binary is used, and one that does not fit is refused, never replaced', async () => {
  const path = join(root, 'my-engine');
  await fakeGo();
  await script(path, server('1.31.2'));
  assert.equal((await findEngine(options({ configuredBinary: path }))).source, 'configured');
  await script(path, server('1.29.1'));
  assert.match(await refusal(findEngine(options({ configuredBinary: path }))), /1\.29\.1.*CVE-/);
  assert.match(
    await refusal(findEngine(options({ configuredBinary: join(root, 'none') }))),
    /not an executable/,
  );
  await script(path, 'echo hello');
  assert.match(await refusal(findEngine(options({ configuredBinary: path }))), /not a Temporal Server/);
});

test('temporal-server on PATH comes first, and one with an advisory is passed over aloud', async () => {
  await fakeGo();
  await script(join(bin, 'temporal-server'), server('1.31.2'));
  assert.equal((await findEngine(options())).source, 'path');
  await script(join(bin, 'temporal-server'), server('1.31.0'));
  assert.equal((await findEngine(options())).source, 'built');
  assert.match(lines.join('\n'), /not using .*CVE-2026-5724/);
});

test('without a binary the pinned version is built once, and the cache serves the next start', async () => {
  await fakeGo();
  const built = await findEngine(options());
  assert.equal(built.source, 'built');
  assert.equal(built.version, '1.31.2');
  assert.match(lines.join('\n'), /building Temporal Server 1\.31\.2/);
  assert.match(
    await readFile(`${built.path}.sha256`, 'utf8'),
    new RegExp(`^${built.sha256}  temporal-server\n$`),
  );
  assert.equal((await findEngine(options())).source, 'cache');
  assert.equal(
    await readFile(join(root, 'calls'), 'utf8'),
    'go.temporal.io/server/cmd/server@v1.31.2 local\n',
    'one build, with the local toolchain',
  );
});

test('T-097 a tampered engine binary is refused and never run', async () => {
  await fakeGo();
  const { path } = await findEngine(options());
  await script(path, `touch ${root}/ran; ${server('1.31.2')}`);
  assert.match(await refusal(findEngine(options())), /it was changed/);
  assert.ok(!(await readdir(root)).includes('ran'));
});

test('T-097 a binary that everybody may replace is refused', async () => {
  await fakeGo();
  const { path } = await findEngine(options());
  await chmod(path, 0o757);
  assert.match(await refusal(findEngine(options())), /everybody may write/);
});

test('T-097 a proxy that hands out another source is caught by the sum of the module', async () => {
  await fakeGo({ sum: 'h1:AAAA' });
  assert.match(await refusal(findEngine(options())), /not the published one/);
  assert.deepEqual(await readdir(join(cache, 'engine')), []);
});

test('a cached binary without a digest gets one, and is of the version asked for', async () => {
  const folder = join(cache, 'engine', '1.31.2');
  await mkdir(folder, { recursive: true });
  await script(join(folder, 'temporal-server'), server('1.31.2'));
  const found = await findEngine(options());
  assert.match(await readFile(`${found.path}.sha256`, 'utf8'), new RegExp(found.sha256));
  await rm(`${found.path}.sha256`);
  await script(found.path, server('1.31.5'));
  assert.match(await refusal(findEngine(options())), /1\.31\.5, not 1\.31\.2/);
});

test('a failed build leaves nothing that looks finished, and says why', async () => {
  await fakeGo({ fails: true });
  assert.match(await refusal(findEngine(options())), /no such module/);
  assert.deepEqual(await readdir(join(cache, 'engine')), []);
});

test('two processes that build at once both get a sound binary', async () => {
  await fakeGo();
  const [first, second] = await Promise.all([findEngine(options()), findEngine(options())]);
  assert.equal(first.path, second.path);
  assert.equal(first.sha256, second.sha256);
  assert.deepEqual(await readdir(join(cache, 'engine')), ['1.31.2']);
});

test('without binary and without Go the error names the three ways', async () => {
  const message = await refusal(findEngine(options()));
  assert.match(message, /engine\.address/);
  assert.match(message, /on PATH/);
  assert.match(message, /install Go/);
});

test('the schema tool is built beside the engine, and only when asked for', async () => {
  await fakeGo();
  await findEngine(options());
  assert.deepEqual(await readdir(join(cache, 'engine')), ['1.31.2']);
  assert.equal(await findSqlTool(options()), join(cache, 'engine', '1.31.2-sql', 'temporal-sql-tool'));
  await rm(join(bin, 'go'));
  await rm(join(cache, 'engine'), { recursive: true });
  assert.match(await refusal(findSqlTool(options())), /install Go/);
});
