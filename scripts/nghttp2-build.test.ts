import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

// Of what TypeScript declares only for browsers, what the package has no need of.
declare global {
  namespace WebAssembly {
    namespace Module {
      function imports(module: Module): readonly { readonly module: string; readonly name: string }[];
    }
    interface Memory {
      grow(pages: number): number;
    }
  }
}

const PACKAGE = fileURLToPath(new URL('../packages/gatehouse', import.meta.url));
const VENDOR = join(PACKAGE, 'vendor/nghttp2');
const WASM = join(VENDOR, 'nghttp2.wasm');
const LOADER = 'src/base/http2/nghttp2.ts';
const PAGE_BYTES = 64 * 1024;
const MEMORY_BYTES_MAX = 2 ** 31 - PAGE_BYTES;

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-nghttp2-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What stands in the way of a build on this machine. */
function obstacle(sources: string | undefined): string | false {
  if (sources === undefined) return 'GATEHOUSE_NGHTTP2_SOURCES names no folder with the sources of nghttp2';
  if (spawnSync('clang-14', ['--version']).status !== 0) return 'clang-14 is not installed';
  if (spawnSync('wasm-ld-14', ['--version']).status !== 0) return 'wasm-ld-14 (lld-14) is not installed';
  const link = ['--target=wasm32-wasi', '-print-file-name=libc.a'];
  if (!existsSync(spawnSync('clang-14', link, { encoding: 'utf8' }).stdout.trim()))
    return 'wasi-libc is not installed';
  return false;
}

test('the committed nghttp2.wasm has the digest that its loader asks for', () => {
  const [, expected] =
    /^const SHA256 = '([0-9a-f]{64})';$/m.exec(readFileSync(join(PACKAGE, LOADER), 'utf8')) ?? [];
  assert.equal(sha256(WASM), expected);
});

test('an nghttp2.wasm in which one bit was changed is not run', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'src/base'), { recursive: true });
  cpSync(join(PACKAGE, 'src/base/http2'), join(folder, 'src/base/http2'), { recursive: true });
  cpSync(VENDOR, join(folder, 'vendor/nghttp2'), { recursive: true });
  const code = readFileSync(WASM);
  code[code.length - 1] = (code.at(-1) ?? 0) ^ 1;
  writeFileSync(join(folder, 'vendor/nghttp2/nghttp2.wasm'), code);
  await assert.rejects(import(pathToFileURL(join(folder, LOADER)).href), /nghttp2\.wasm is not the file/);
});

test('nghttp2 reaches nothing but the connection it is given, a clock, and three calls that are refused', () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(WASM)));
  assert.deepEqual(
    imports
      .filter(({ module }) => module !== 'connection')
      .map(({ module, name }) => `${module}.${name}`)
      .sort(),
    ['clock_time_get', 'fd_close', 'fd_seek', 'fd_write'].map((name) => `wasi_snapshot_preview1.${name}`),
  );
});

test('nghttp2 has less than 2 GiB of memory, since addresses reach JavaScript as signed numbers', () => {
  const module = new WebAssembly.Module(readFileSync(WASM));
  const stubs: Record<string, Record<string, () => number>> = {};
  for (const given of WebAssembly.Module.imports(module)) {
    stubs[given.module] = { ...stubs[given.module], [given.name]: () => 0 };
  }
  const { memory } = new WebAssembly.Instance(module, stubs).exports as { memory: WebAssembly.Memory };
  const left = (MEMORY_BYTES_MAX - memory.buffer.byteLength) / PAGE_BYTES;
  assert.throws(() => memory.grow(left + 1), RangeError);
});

test('the licence of nghttp2 is the one of its sources', () => {
  const [, listed] =
    /^([0-9a-f]{64}) {2}COPYING$/m.exec(readFileSync(join(VENDOR, 'SOURCES.sha256'), 'utf8')) ?? [];
  assert.equal(sha256(join(VENDOR, 'COPYING')), listed);
});

const sources = process.env['GATEHOUSE_NGHTTP2_SOURCES'];

test('building nghttp2 again, in another folder, gives the committed bytes', {
  skip: obstacle(sources),
}, (t) => {
  const folder = join(temporaryFolder(t), 'in another');
  cpSync(VENDOR, folder, { recursive: true });
  const output = join(folder, 'built.wasm');
  const { status, stderr } = spawnSync(join(folder, 'build.sh'), [sources ?? '', output], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.equal(sha256(output), sha256(WASM));
});

test('nghttp2 is not built of other sources', { skip: obstacle(sources) }, (t) => {
  const folder = temporaryFolder(t);
  cpSync(sources ?? '', folder, { recursive: true });
  writeFileSync(join(folder, 'lib/nghttp2_hd.c'), '\n', { flag: 'a' });
  const output = join(folder, 'built.wasm');
  const { status, stdout, stderr } = spawnSync(join(VENDOR, 'build.sh'), [folder, output], {
    encoding: 'utf8',
  });
  assert.notEqual(status, 0);
  assert.match(stdout + stderr, /lib\/nghttp2_hd\.c: FAILED/);
  assert.equal(existsSync(output), false);
});
