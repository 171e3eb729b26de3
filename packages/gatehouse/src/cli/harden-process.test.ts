import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { hardenProcess, OpenProcess } from './harden-process.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const HARDEN = pathToFileURL(fileURLToPath(new URL('./harden-process.ts', import.meta.url))).href;
const folder = mkdtempSync(join(tmpdir(), 'harden-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runNode(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, stdout, stderr };
}

/** A process that is hardened, then does this. */
const hardened = (body: string, ...options: readonly string[]): Promise<Outcome> =>
  runNode([
    ...options,
    '--input-type=module',
    '--eval',
    `import { hardenProcess } from '${HARDEN}'; import { url } from 'node:inspector'; import { readFileSync } from 'node:fs';
     hardenProcess({ environment: {}, options: [] }); ${body}`,
  ]);

test('T-082 every option of Node that opens a debugger or writes memory or keys out stops the start, by its name', () => {
  for (const option of [
    '--inspect',
    '--inspect=0.0.0.0:9229',
    '--inspect-brk',
    '--inspect_wait',
    '--heapsnapshot-signal=SIGUSR2',
    '--heapsnapshot-near-heap-limit=3',
    '--heap-prof',
    '--tls-keylog=keys.txt',
    '--trace-tls',
    '--experimental-config-file=node.json',
  ]) {
    const name = (option.split('=')[0] ?? '').replace('_', '-');
    const refused = (place: string) => (error: unknown) =>
      error instanceof OpenProcess && error.message.startsWith(`${name} `) && error.message.endsWith(place);
    assert.throws(
      () => hardenProcess({ environment: { NODE_OPTIONS: `--no-warnings ${option}` }, options: [] }),
      refused('take it out of NODE_OPTIONS'),
    );
    assert.throws(
      () => hardenProcess({ environment: { NODE_OPTIONS: `"${option}"` }, options: [] }),
      refused('take it out of NODE_OPTIONS'),
    );
    assert.throws(
      () => hardenProcess({ environment: {}, options: ['--conditions=source', option] }),
      refused('take it out of the command line'),
    );
  }
  hardenProcess({
    environment: {
      NODE_OPTIONS: '--max-old-space-size=4096 --inspect-port=9230',
      NODE_TLS_REJECT_UNAUTHORIZED: '1',
    },
    options: ['--conditions=source', '--disable-sigusr1', '--max-semi-space-size=64'],
  });
});

test('T-082 the command itself refuses a debugger, by option and by environment, and certificates that are not checked', async () => {
  const run = (options: readonly string[], environment: Record<string, string> = {}) =>
    runNode([...options, '--conditions=source', MAIN, 'cert', '--help'], environment);
  const [plain, byOption, byEnvironment, unchecked] = await Promise.all([
    run([]),
    run(['--inspect=127.0.0.1:0']),
    run([], { NODE_OPTIONS: '--inspect=127.0.0.1:0' }),
    run([], { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
  ]);
  assert.equal(plain.code, 0, plain.stderr);
  assert.equal(byOption.code, 1);
  assert.match(
    byOption.stderr,
    /^gatehouse: --inspect opens a debugger, .* take it out of the command line$/m,
  );
  assert.equal(byEnvironment.code, 1);
  assert.match(
    byEnvironment.stderr,
    /^gatehouse: --inspect opens a debugger, .* take it out of NODE_OPTIONS$/m,
  );
  assert.equal(unchecked.code, 1);
  assert.match(unchecked.stderr, /^gatehouse: NODE_TLS_REJECT_UNAUTHORIZED=0 makes every certificate good/m);
});

test('T-082 SIGUSR1 does nothing, and a debugger that was opened before is found', async () => {
  // The signal has been taken when the listener of the test, added after ours, is called.
  const ignored = await hardened(`
    process.on('SIGUSR1', () => setImmediate(() => { console.log('taken', url()); process.exit(7); }));
    process.kill(process.pid, 'SIGUSR1'); setTimeout(() => {}, 5000);`);
  assert.deepEqual([ignored.code, ignored.stdout, ignored.stderr], [7, 'taken undefined\n', '']);
  const opened = await runNode([
    '--input-type=module',
    '--eval',
    `import { open } from 'node:inspector'; import { requireNoDebugger } from '${HARDEN}';
     open(0, '127.0.0.1'); try { requireNoDebugger(); } catch (error) { console.log(error.name); } process.exit();`,
  ]);
  assert.equal(opened.stdout, 'OpenProcess\n');
});

test('T-082 a debugger that a signal opens while the command is loaded ends it before it does anything', async () => {
  for (const delayMs of [20, 120, 220]) {
    const child = spawn(process.execPath, ['--conditions=source', MAIN, 'cert', '--help'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    setTimeout(() => child.kill('SIGUSR1'), delayMs);
    await once(child, 'close');
    if (/Debugger listening/.test(stderr)) {
      assert.equal(stdout, '');
      assert.match(stderr, /gatehouse: a debugger can connect to this process/);
    }
  }
});

test('T-082 no report is written, at a signal or at a crash, whatever the options say', async () => {
  const options = ['--report-on-signal', '--report-uncaught-exception', '--report-on-fatalerror'];
  const signalled = await hardened(
    "process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 5000);",
    ...options,
  );
  assert.equal(signalled.signal, 'SIGUSR2');
  const crashed = await hardened("throw new Error('a crash')", ...options);
  assert.match(crashed.stderr, /a crash/);
  assert.deepEqual(readdirSync(folder), []);
});

test('T-082 a core dump would hold no memory, of this process and of what it starts', {
  skip: process.platform === 'linux' ? false : 'needs Linux',
}, async () => {
  const { stdout } = await hardened(`
    import { execFileSync } from 'node:child_process';
    console.log(readFileSync('/proc/self/coredump_filter', 'utf8').trim(),
      execFileSync('/bin/cat', ['/proc/self/coredump_filter'], { encoding: 'utf8' }).trim());`);
  assert.equal(stdout, '00000000 00000000\n');
});
