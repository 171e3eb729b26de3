import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const MAIN = new URL('./main.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Answer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function gatehouse(line: string, environment: Record<string, string> = {}): Answer {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=source', MAIN, ...line.split(' ').filter((word) => word !== '')],
    { encoding: 'utf8', cwd: folder, env: { ...process.env, GATEHOUSE_HOME: '', ...environment } },
  );
  return { code: status, out: stdout, err: stderr };
}

test('help of every command ends well and has examples', () => {
  for (const command of [
    '',
    'up',
    'serve',
    'cert',
    'cert ca',
    'cert leaf',
    'audit',
    'audit verify',
    'audit tail',
    'audit search',
    'audit erase',
    'codec-server',
    'keys',
    'keys list',
    'keys rotate',
    'keys rewrap',
    'keys seal',
    'keys destroy',
    'doctor',
    'completion',
  ]) {
    const { code, out, err } = gatehouse(`${command} --help`);
    assert.deepEqual([code, err], [0, ''], command);
    assert.match(out, /\nExamples:\n {2}(\$ )?gatehouse /, `${command} has no example`);
  }
});

/** As a user could have typed them: what is wrong, and how to go on. */
const WRONG_USAGE: readonly (readonly [string, RegExp])[] = [
  ['', /^Usage: gatehouse \[options\] \[command\]/],
  ['fly', /^error: unknown command 'fly'\n/],
  ['up --port 70000', /^error: option '--port <port>' argument '70000' is invalid\. a port is 0 to 65535\n/],
  ['up --port 7233x', /a port is 0 to 65535/],
  [
    'up --processes 65',
    /^error: option '--processes <count>' argument '65' is invalid\. give 1 to 64 processes\n/,
  ],
  ['up --namespace Orders', /argument 'Orders' is invalid\. a namespace name is 2 to 39 of a-z, 0-9/],
  ['up --namespace orders.local', /starting with a letter, without the account/],
  ['up --home=', /a folder needs a name/],
  ['up --speed 11', /^error: unknown option '--speed'\n/],
  ['up extra', /^error: too many arguments for 'up'/],
  ['serve', /^error: required option '--config <file>' not specified\n/],
  [
    'serve --config none.yaml',
    /^gatehouse: the configuration none\.yaml cannot be used:\n {2}the file: cannot be read \(ENOENT\)\n$/,
  ],
  ['doctor --cert client.pem', /^error: --cert needs --ca\n/],
  ['keys rotate', /^error: give --namespace <id>, or --all\n/],
  ['keys seal --home nothing', /^error: give --namespace <id>, or --all\n/],
  [
    'keys rewrap --all --namespace orders.acme1',
    /^error: option '--all' cannot be used with option '--namespace <id>'\n/,
  ],
  ['keys list --output yaml', /Allowed choices are json, table\.\n/],
  ['keys destroy', /^error: required option '--namespace <id>' not specified\n/],
  [
    'keys destroy --namespace orders.acme1',
    /^gatehouse keys destroy: nothing was done\. Destroying.*\nTo do it, add --confirm orders\.acme1\n$/s,
  ],
  [
    'keys list --config none.yaml',
    /^gatehouse: the configuration none\.yaml cannot be used:\n {2}the file: cannot be read \(ENOENT\)\n$/,
  ],
  ['completion tcsh', /^error: the shell must be bash, zsh or fish\n/],
];

for (const [line, text] of WRONG_USAGE) {
  test(`wrong usage exits with 2 and says what is right: gatehouse ${line}`, () => {
    const { code, out, err } = gatehouse(line);
    assert.equal(code, 2, err);
    assert.equal(out, '');
    assert.match(err, text);
    // Commander's own texts do not say where to read on.
    if (err.startsWith('error:')) assert.match(err, /\n\(add --help for the options\)\n$/);
  });
}

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(gatehouse('--version'), { code: 0, out: `${version}\n`, err: '' });
});

test('keys of a folder without an installation says so and exits with 1', () => {
  const { code, out, err } = gatehouse('keys list --home nothing');
  assert.deepEqual([code, out], [1, '']);
  assert.match(
    err,
    /^gatehouse: there is no directory in .*nothing: give the --home of `up`, or the --config/,
  );
});

test('a gateway process is nobody else’s to start, and of one version with who starts it', () => {
  assert.doesNotMatch(gatehouse('--help').out, /gateway-process/);
  const place = '--home nowhere --slot 1';
  assert.match(
    gatehouse(`gateway-process ${place} --of 0.0.1`).err,
    /was installed over 0\.0\.1, which runs/,
  );
  const version = gatehouse('--version').out.trim();
  const { code, err } = gatehouse(`gateway-process ${place} --of ${version}`);
  assert.deepEqual([code, err], [1, 'gatehouse: this command is for `gatehouse up` and `serve` alone\n']);
});

test('a completion script names every command', () => {
  const { code, out } = gatehouse('completion bash');
  assert.equal(code, 0);
  assert.match(out, /"\) words="up serve cert audit codec-server keys doctor completion/);
  assert.match(out, /"up"\) words="--home --port --namespace --processes --once --json --help"/);
});

test('doctor on a folder without an installation says so, says how to go on, and exits with 1', () => {
  const machine = { PATH: '', GATEHOUSE_CACHE: join(folder, 'cache') };
  const { code, out } = gatehouse('doctor --home nothing', machine);
  assert.equal(code, 1);
  assert.match(out, /^✗ there is no installation in .*nothing\n {4}run `gatehouse up`, or give --home\n/);
  assert.match(
    out,
    /✗ there is no engine, and no Go to build it with\n {4}put temporal-server 1\.31\.\d+ on PATH, install Go, or set engine\.address/,
  );
  const json = JSON.parse(gatehouse('doctor --home nothing --output json', machine).out);
  assert.equal(json.findings[0].level, 'problem');
});

test('doctor judges a configuration without starting it', () => {
  const { code, out } = gatehouse('doctor --config none.yaml');
  assert.equal(code, 1);
  assert.equal(out, '✗ the file: cannot be read (ENOENT)\n');
});
