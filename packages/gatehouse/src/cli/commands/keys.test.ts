import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type KeysHome, openKeysHome } from '#app/keys-fixture.test';
import { writeFileAtomic } from '#base/runtime/safe-file';
import type { AdminWord, WrappedNamespaceKey } from '#base/store/directory';
import { keysCommand } from './keys.ts';

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** As the program would: what is thrown is one sentence, and exit 1. */
async function run(line: string, onOut: () => void = () => undefined): Promise<Answer> {
  const [out, err]: [string[], string[]] = [[], []];
  let code = 0;
  const command = keysCommand({
    stdout: {
      write(text: string) {
        onOut();
        return out.push(text) > 0;
      },
    },
    stderr: { write: (text: string) => err.push(text) > 0 },
    setExitCode: (value) => {
      code = value;
    },
  });
  const answer = (): Answer => ({ code, out: out.join(''), err: err.join('') });
  try {
    await command.parseAsync(line.split(' '), { from: 'user' });
  } catch (error) {
    code = 1;
    err.push(String(error));
  }
  return answer();
}

async function rowsOf({ directory }: KeysHome, id: string): Promise<readonly WrappedNamespaceKey[]> {
  await directory.refresh();
  const record = directory.snapshot().namespaces.get(id);
  return directory.namespaceKeys(record?.uuid ?? '');
}

const bare = (words: readonly AdminWord[]) => words.map(({ id: _id, atMs: _atMs, ...word }) => word);

/** Ids and ages are of this run: letters stand for them. */
function masked(text: string): string {
  const ids = new Map<string, string>();
  return text.replace(/\b[0-9a-f]{16}\b/g, (id) => {
    if (!ids.has(id)) ids.set(id, String.fromCharCode(97 + ids.size).repeat(16));
    return ids.get(id) ?? '';
  });
}

test('list shows every key beside a running platform, as a table and as JSON', async (t) => {
  const home = await openKeysHome(t);
  const { code, out, err } = await run(`list --home ${home.root}`);
  assert.deepEqual([code, err], [0, '']);
  assert.equal(
    masked(out),
    `NAMESPACE     SEALING  KEY               PURPOSE    STATE    AGE  WRAPPED BY
bills.acme1   migrate  aaaaaaaaaaaaaaaa  payload    current  0m   local:bbbbbbbbbbbbbbbb
bills.acme1   migrate  cccccccccccccccc  attribute  current  0m   local:bbbbbbbbbbbbbbbb
open.acme1    off      -                 -          no key   -    -
orders.acme1  on       dddddddddddddddd  payload    current  0m   local:bbbbbbbbbbbbbbbb
orders.acme1  on       eeeeeeeeeeeeeeee  attribute  current  0m   local:bbbbbbbbbbbbbbbb
`,
  );
  const json = JSON.parse((await run(`list --home ${home.root} --namespace orders.acme1 --output json`)).out);
  const [payload] = await rowsOf(home, 'orders.acme1');
  assert.equal(json.namespaces.length, 1);
  assert.deepEqual(json.namespaces[0].keys[0], {
    id: payload?.id,
    purpose: 'payload',
    state: 'current',
    wrappedBy: payload?.kmsKeyId,
    createdAt: new Date(payload?.createdAtMs ?? 0).toISOString(),
  });
});

test('rotate adds a key that the platform sees, and leaves it a word', async (t) => {
  const home = await openKeysHome(t);
  const { code, out, err } = await run(`rotate --home ${home.root} --namespace orders.acme1`);
  const rows = await rowsOf(home, 'orders.acme1');
  const newest = rows.at(-1);
  assert.deepEqual([code, err], [0, '']);
  assert.equal(out, `orders.acme1: new payload key ${newest?.id}\n`);
  assert.deepEqual(
    rows.map(({ purpose }) => purpose),
    ['payload', 'attribute', 'payload'],
  );
  assert.deepEqual(bare(await home.words()), [
    {
      actor: 'operator:command',
      method: 'keys.rotate',
      namespace: 'orders.acme1',
      outcome: 'ok',
      detail: `payload ${newest?.id}`,
    },
  ]);
});

test('rotate of all leaves out what is not sealed, and takes attribute keys only when they are named', async (t) => {
  const home = await openKeysHome(t);
  const { code, out } = await run(`rotate --home ${home.root} --all --attributes`);
  assert.equal(code, 0);
  assert.equal(
    masked(out),
    `bills.acme1: new payload key aaaaaaaaaaaaaaaa, new attribute key bbbbbbbbbbbbbbbb
open.acme1: not sealed: nothing to rotate
orders.acme1: new payload key cccccccccccccccc, new attribute key dddddddddddddddd
`,
  );
  assert.equal((await home.words()).length, 4);
});

test('T-081a rewrap moves every key to the KMS key that is configured now, and can be repeated', async (t) => {
  const home = await openKeysHome(t);
  const config = await configOf(t, home);
  const before = (await rowsOf(home, 'orders.acme1'))[0]?.kmsKeyId;
  const rewrapped = await run(`rewrap --config ${config} --all`);
  assert.equal(rewrapped.code, 0);
  assert.equal(
    rewrapped.out,
    `bills.acme1: 2 keys wrapped anew
open.acme1: nothing to wrap anew
orders.acme1: 2 keys wrapped anew
`,
  );
  const rows = await rowsOf(home, 'orders.acme1');
  assert.ok(rows.every(({ kmsKeyId }) => kmsKeyId !== before));
  const words = bare(await home.words());
  assert.equal(words.length, 4);
  assert.match(words[0]?.detail ?? '', /^[0-9a-f]{16} from local:[0-9a-f]{16} to local:[0-9a-f]{16}$/);
  const again = JSON.parse((await run(`rewrap --config ${config} --all --output json`)).out);
  assert.deepEqual(again.results[0], { namespace: 'bills.acme1', ok: true, text: 'nothing to wrap anew' });
  assert.match(
    (await run(`rewrap --config ${config} --all --again`)).out,
    /orders\.acme1: 2 keys wrapped anew/,
  );
});

test('a namespace that cannot be wrapped anew keeps no other from it, and the exit is 1', async (t) => {
  const home = await openKeysHome(t);
  await home.directory.write.setEncryption('bills.acme1', { kmsKey: 'theirs' });
  const config = await configOf(t, home);
  const { code, out, err } = await run(`rewrap --config ${config} --all`);
  assert.equal(code, 1);
  assert.match(out, /^open\.acme1: .+\norders\.acme1: 2 keys wrapped anew\n$/);
  assert.match(err, /^bills\.acme1: .*the KMS key theirs of bills\.acme1 is not configured here/m);
});

test('what takes longer than a second says how far it has come', async (t) => {
  const home = await openKeysHome(t);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { code, err } = await run(`rewrap --home ${home.root} --all --again`, () => t.mock.timers.tick(1000));
  assert.equal(code, 0);
  assert.equal(err, '  1 of 3 namespaces …\n  2 of 3 namespaces …\n  3 of 3 namespaces …\n');
});

test('seal ends a migration window, once, and leaves what is not sealed as it is', async (t) => {
  const home = await openKeysHome(t);
  const { code, out } = await run(`seal --home ${home.root} --all`);
  assert.equal(code, 0);
  assert.equal(
    out,
    `bills.acme1: sealing is on
open.acme1: not sealed: left as it is
orders.acme1: sealing was on already
`,
  );
  await home.directory.refresh();
  assert.equal(home.directory.snapshot().namespaces.get('bills.acme1')?.sealing, 'on');
  assert.deepEqual(
    bare(await home.words()).map(({ method, namespace }) => [method, namespace]),
    [['keys.seal', 'bills.acme1']],
  );
  const one = await run(`seal --home ${home.root} --namespace open.acme1`);
  assert.equal(one.code, 1);
  assert.match(one.err, /open\.acme1 is not sealed: set encryption\.atRest of it to migrate first/);
});

test('destroy without its confirmation exits with 2, says what would be lost, and does nothing', async (t) => {
  const home = await openKeysHome(t);
  for (const confirm of ['', ' --confirm orders.acme2', ' --confirm yes']) {
    const { code, out, err } = await run(`destroy --home ${home.root} --namespace orders.acme1${confirm}`);
    assert.deepEqual([code, out], [2, '']);
    assert.match(
      err,
      /^gatehouse keys destroy: nothing was done\. Destroying the keys of a namespace erases it/,
    );
    assert.match(err, /backups of the directory still hold the wrapped keys, until they expire/);
    assert.match(err, /\nTo do it, add --confirm orders\.acme1\n$/);
  }
  assert.ok((await rowsOf(home, 'orders.acme1')).every(({ state }) => state === 'active'));
  assert.deepEqual(await home.words(), []);
});

test('destroy erases one namespace for good and no other, and nothing brings it a key again', async (t) => {
  const home = await openKeysHome(t);
  const line = `destroy --home ${home.root} --namespace orders.acme1 --confirm orders.acme1`;
  const { code, out } = await run(line);
  assert.equal(code, 0);
  assert.match(out, /^orders\.acme1: 2 keys destroyed\. Backups of the directory still hold them wrapped/);
  const rows = await rowsOf(home, 'orders.acme1');
  assert.ok(rows.every(({ state, wrapped }) => state === 'destroyed' && wrapped === ''));
  assert.ok((await rowsOf(home, 'bills.acme1')).every(({ state }) => state === 'active'));
  assert.deepEqual(
    bare(await home.words()).map(({ method, namespace }) => [method, namespace]),
    [['keys.destroy', 'orders.acme1']],
  );
  const rotated = await run(`rotate --home ${home.root} --namespace orders.acme1`);
  assert.equal(rotated.code, 1);
  assert.match(rotated.err, /the namespace's data was erased/);
  assert.match((await run(`list --home ${home.root}`)).out, /orders\.acme1 .* destroyed /);
  assert.equal((await run(line)).out, 'orders.acme1: there was no key left to destroy\n');
});

test('an id that is no namespace is told as it is', async (t) => {
  const home = await openKeysHome(t);
  for (const line of [
    'rotate --namespace',
    'list --namespace',
    'destroy --confirm nobody.acme1 --namespace',
  ]) {
    const { code, err } = await run(`${line} nobody.acme1 --home ${home.root}`);
    assert.equal(code, 1, line);
    assert.match(err, /Refusal/);
  }
});

test('a folder without an installation is told so, and nothing is made in it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-none-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const line of ['list', 'rotate --all', 'destroy --namespace a.acme1 --confirm a.acme1']) {
    const { code, err } = await run(`${line} --home ${folder}`);
    assert.equal(code, 1);
    assert.match(err, /there is no directory in .*: give the --home of `up`, or the --config/);
  }
  await rm(folder, { recursive: false }).catch(() => undefined);
});

/** The home's key is the previous one of this configuration. */
async function configOf(t: TestContext, home: KeysHome): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-config-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'gatehouse.yaml');
  for (const name of ['server.pem', 'server.key']) await writeFileAtomic(join(folder, name), '');
  await writeFileAtomic(
    file,
    `home: ${home.root}
domain: gatehouse.example.com
region: aws-local
gateway:
  grpc: { address: '127.0.0.1:7233' }
  certificateFile: server.pem
  keyFile: server.key
directory: { kind: sqlite }
encryption:
  kms: { kind: local, keyFile: ${join(folder, 'new.key')} }
  previousKms: [{ kind: local, keyFile: ${home.keyFile} }]
`,
  );
  return file;
}
