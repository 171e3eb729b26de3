import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { certCommand } from './cert.ts';

const MAIN = new URL('../main.ts', import.meta.url).pathname;
const key = (letter: string) => Buffer.alloc(32, letter).toString('base64');

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** An issuer of access tokens, as far as the command sees one. */
async function startIssuer() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: '1' }];
  const server = createServer((req, res) => {
    const metadata = { issuer, jwks_uri: `${issuer}/keys` };
    res.end(JSON.stringify(req.url === '/keys' ? { keys } : metadata));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sign = (claims: Record<string, unknown>): Promise<string> =>
    new SignJWT({ ...claims, iss: issuer, aud: 'codec', sub: 'ann' })
      .setExpirationTime('1m')
      .setProtectedHeader({ alg: 'ES256', kid: '1' })
      .sign(privateKey);
  return { issuer, sign, close: () => server.close() };
}

/** The command as a process of its own: what it promises is about starts, signals and exit codes. */
describe('gatehouse codec-server', () => {
  let folder: string;
  const children: ChildProcess[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-codec-server-'));
    await writeFile(join(folder, 'codec.keys'), `old ${key('o')}\n`, { mode: 0o600 });
    await writeFile(join(folder, 'billing.keys'), `billing ${key('b')}\n`, { mode: 0o600 });
    const type = (line: string) =>
      certCommand({ write: () => undefined }).parseAsync(
        line.split(' ').map((word) => word.replace(/^@/, `${folder}/`)),
        { from: 'user' },
      );
    await type('ca --org acme -d 30d --ca-cert @ca.pem --ca-key @ca.key');
    await type('leaf --org acme --ca-cert @ca.pem --ca-key @ca.key --cert @tls.pem --key @tls.key');
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  function run(words: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn(process.execPath, ['--conditions=source', MAIN, 'codec-server', ...words], {
      cwd: folder,
      env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    return child;
  }
  /** Ends by itself: its exit code and what it said. */
  async function refused(line: string, env: Record<string, string> = {}): Promise<Answer> {
    const child = run(line.split(' '), env);
    let body = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    const [code] = await once(child, 'close');
    return { status: Number(code), body };
  }
  async function started(line: string, env: Record<string, string> = {}) {
    const child = run([...line.split(' '), '--port', '0'], env);
    const log: string[] = [];
    if (child.stderr !== null) createInterface(child.stderr).on('line', (text) => log.push(text));
    assert.ok(child.stdout !== null);
    const [ready] = await once(createInterface(child.stdout), 'line');
    return { child, log, url: (JSON.parse(String(ready)) as { url: string }).url };
  }
  async function ask(url: string, path: string, payloads: unknown, headers = {}): Promise<Answer> {
    const answer = await fetch(url + path, {
      method: 'POST',
      body: JSON.stringify({ payloads }),
      headers: { 'content-type': 'application/json', 'x-namespace': 'orders.acme1', ...headers },
    });
    return { status: answer.status, body: await answer.text() };
  }
  const payload = { metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'InNlY3JldCI=' };
  const keyIdIn = (body: string) =>
    Buffer.from(JSON.parse(body).payloads[0].metadata['encryption-key-id'], 'base64').toString();

  test('it encodes and decodes on the loopback, and ends well when it is asked to', async () => {
    const { child, url, log } = await started('--keys codec.keys --allow-anonymous');
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const encoded = await ask(url, '/encode', [payload]);
    assert.equal(keyIdIn(encoded.body), 'old');
    const decoded = await ask(url, '/decode', JSON.parse(encoded.body).payloads);
    assert.deepEqual(JSON.parse(decoded.body), { payloads: [payload] });
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    const { time: _, ms: __, ...first } = JSON.parse(log[0] ?? '');
    assert.deepEqual(first, {
      level: 'info',
      message: 'answered',
      operation: 'encode',
      namespace: 'orders.acme1',
      payloads: 1,
      status: 200,
    });
  });

  test('a new key is in force after SIGHUP, and a file with a fault leaves the old ones in force', async () => {
    const path = join(folder, 'rotated.keys');
    await writeFile(path, `old ${key('o')}\n`, { mode: 0o600 });
    const { child, url, log } = await started('--keys rotated.keys --allow-anonymous');
    const hangUp = async (said: RegExp): Promise<void> => {
      const from = log.length;
      child.kill('SIGHUP');
      while (!log.slice(from).some((line) => said.test(line)))
        await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await writeFile(path, `old ${key('o')}\nnew ${key('n')}\n`);
    await hangUp(/were read again/);
    assert.equal(keyIdIn((await ask(url, '/encode', [payload])).body), 'new');
    await writeFile(path, 'broken');
    await hangUp(/could not be read again/);
    assert.equal(keyIdIn((await ask(url, '/encode', [payload])).body), 'new');
    assert.ok(!log.join().includes(key('n')));
  });

  test('namespaces have keys of their own, from files or the environment, and others are not served', async () => {
    const keys = '--keys orders.acme1=env:ORDERS --keys billing.acme1=billing.keys';
    const { url } = await started(`${keys} --allow-anonymous --no-encode`, { ORDERS: `orders ${key('o')}` });
    assert.equal((await ask(url, '/decode', [payload])).status, 200);
    assert.equal((await ask(url, '/encode', [payload])).status, 404);
    assert.equal((await ask(url, '/decode', [payload], { 'x-namespace': 'other.acme1' })).status, 404);
  });

  test('T-070a with an issuer it decodes only for tokens with a permission for the namespace', async () => {
    const issuer = await startIssuer();
    const { url, log } = await started(
      `--keys codec.keys --origin https://ui.example.com --issuer ${issuer.issuer} --audience codec --permissions-claim perms`,
    );
    const token = await issuer.sign({ perms: ['orders.acme1:read'] });
    const authorization = `Bearer ${token}`;
    assert.equal((await ask(url, '/decode', [payload], { authorization })).status, 200);
    assert.equal((await ask(url, '/encode', [payload], { authorization })).status, 403);
    assert.equal((await ask(url, '/decode', [payload])).status, 401);
    const other = { authorization, 'x-namespace': 'billing.acme1' };
    assert.equal((await ask(url, '/decode', [payload], other)).status, 403);
    assert.equal(
      (await ask(url, '/decode', [payload], { authorization, origin: 'https://evil.com' })).status,
      403,
    );
    assert.ok(log.some((line) => line.includes('"subject":"ann"')));
    assert.ok(!log.join().includes(token));
    issuer.close();
  });

  test('it speaks TLS 1.3 and nothing older', async () => {
    const { url } = await started('--keys codec.keys --allow-anonymous --tls-cert tls.pem --tls-key tls.key');
    const get = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<unknown>((resolve) => {
        // Whose certificate it is, is not asked here.
        const options = {
          rejectUnauthorized: false,
          maxVersion,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
        };
        httpsRequest(`${url}/decode`, options, (res) => resolve(res.statusCode))
          .on('error', resolve)
          .end('{}');
      });
    assert.equal(await get('TLSv1.3'), 200);
    assert.match(String(await get('TLSv1.2')), /alert protocol version|EPROTO/);
  });

  test('T-070a it does not start where anybody could decode, or in clear over a network', async () => {
    const token = '--issuer https://id.example.com --audience codec';
    const lines = [
      ['--keys codec.keys', /say who may decode: --issuer and --audience/],
      ['--keys codec.keys --issuer https://id.example.com', /say who may decode/],
      ['--keys codec.keys --allow-anonymous --host 0.0.0.0', /for the loopback alone/],
      ['--keys codec.keys --allow-anonymous --host 127.evil.com', /for the loopback alone/],
      [`--keys codec.keys --allow-anonymous ${token}`, /exclude each other/],
      [`--keys codec.keys --host 0.0.0.0 ${token}`, /give --tls-cert and --tls-key/],
      [`--keys codec.keys --tls-cert tls.pem ${token}`, /belong together/],
      [`--keys codec.keys --origin * ${token}`, /\* is no origin/],
      ['--keys codec.keys --audience codec --issuer http://id.example.com', /only fetched by https/],
      [`${token}`, /--keys is needed/],
      [`--keys a.keys --keys b.keys ${token}`, /has two sources/],
    ] as const;
    await Promise.all(
      lines.map(async ([line, text]) => {
        const { status, body } = await refused(line);
        assert.deepEqual([status, text.test(body)], [2, true], `${line}\n${body}`);
      }),
    );
  });

  test('T-100 a key file or TLS key that others may read stops the start, and no key is told', async () => {
    const path = join(folder, 'open.keys');
    await writeFile(path, await readFile(join(folder, 'codec.keys')));
    await chmod(path, 0o644);
    const { status, body } = await refused('--keys open.keys --allow-anonymous');
    assert.equal(status, 1);
    assert.equal(
      body,
      'gatehouse: others may read the key file open.keys (mode 0644): chmod 600 open.keys\n',
    );
    await writeFile(join(folder, 'open.key'), await readFile(join(folder, 'tls.key')));
    await chmod(join(folder, 'open.key'), 0o640);
    const tls = await refused('--keys codec.keys --allow-anonymous --tls-cert tls.pem --tls-key open.key');
    assert.deepEqual(
      [tls.status, tls.body],
      [1, 'gatehouse: others may read open.key: chmod 600 open.key\n'],
    );
    const bad = await refused('--keys env:BAD --allow-anonymous', { BAD: `id ${key('s').slice(4)}` });
    assert.deepEqual(
      [bad.status, bad.body],
      [1, 'gatehouse: the key "id" is not 32 bytes, as AES-256 needs\n'],
    );
  });
});
