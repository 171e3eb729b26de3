import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTokenIssuer, type TokenIssuer } from '../../packages/codec/src/testing/token-issuer.ts';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { keyLines } from '../codec/vectors.ts';
import { cleanEnv } from '../parts/clean-env.ts';
import { type ProgramOutcome, runProgram } from '../parts/run-program.ts';
import type { WorkerCommand } from '../parts/sdk-workers.ts';
import { obtainTemporalCli } from '../parts/temporal-cli.ts';
import { startWorkerProcess, type WorkerProcess } from '../parts/worker-process.ts';
import { type HouseTarget, houseTarget } from './house-target.ts';
import { refusedCalls } from './refused-calls.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The TypeScript program from its sources, with the one setting that makes it encrypt. */
const worker: WorkerCommand = {
  command: process.execPath,
  args: ['--conditions=source', file('test/workers/typescript/src/main.ts')],
  env: cleanEnv({
    CODEC_KEYS: keyLines.join(';'),
    DATA_CONVERTER: file('test/codec/typescript/data-converter.ts'),
  }),
};

/** A customer's Worker that encrypts, his codec server, and the platform between them that sees neither key nor text. */
describe('client-side encryption through the gateway', { concurrency: false }, () => {
  const taskQueue = randomUUID();
  let house: House;
  let target: HouseTarget;
  let cli: string;
  let folder: string;
  let staying: WorkerProcess;
  let issuer: TokenIssuer;
  const servers: ChildProcess[] = [];
  let open: string;
  let guarded: string;
  /** One line for each request that a codec server answered. */
  const log: string[] = [];

  before(async () => {
    cli = await obtainTemporalCli();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-codec-e2e-'));
    await writeFile(join(folder, 'codec.keys'), keyLines.join('\n'), { mode: 0o600 });
    house = await startHouse({ namespaces: ['orders'] });
    // What the platform's own sealing would hide, the codec must have hidden before.
    await house.up.platform.directory.write.setEncryption('orders.local', { sealing: 'off' });
    target = houseTarget(house, 'orders.local');
    issuer = await startTokenIssuer();
    staying = startWorkerProcess(worker, target, { mode: 'worker', taskQueue });
    open = await startServer('--allow-anonymous');
    guarded = await startServer('--issuer', issuer.issuer, '--audience', 'codec');
    await staying.line('ready');
  });

  after(async () => {
    for (const server of servers) server.kill('SIGTERM');
    await staying?.stop();
    issuer?.close();
    await house?.close();
    await rm(folder, { recursive: true });
  });

  async function startServer(...words: string[]): Promise<string> {
    const command = ['--conditions=source', file('packages/gatehouse/src/cli/main.ts'), 'codec-server'];
    const settings = ['--port', '0', '--keys', join(folder, 'codec.keys'), ...words];
    const child = spawn(process.execPath, [...command, ...settings], {
      env: cleanEnv({ NODE_NO_WARNINGS: '1' }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(child.stderr).on('line', (line) => log.push(line));
    servers.push(child);
    const [ready] = await once(createInterface(child.stdout), 'line');
    return (JSON.parse(String(ready)) as { url: string }).url;
  }
  const run = async (...words: string[]): Promise<ProgramOutcome> => {
    const { serverName, caFile, certificateFile, keyFile } = target.tls;
    return await runProgram(cli, [
      ...words,
      ...['--config-file', join(folder, 'none.toml'), '--disable-config-env', '--output', 'json'],
      ...['--address', target.address, '--namespace', target.namespace],
      ...['--tls-ca-path', caFile, '--tls-cert-path', certificateFile],
      ...['--tls-key-path', keyFile, '--tls-server-name', serverName],
    ]);
  };
  const ok = async (...words: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(...words);
    assert.equal(exitCode, 0, `temporal ${words.join(' ')}\n${stderr}`);
    return stdout;
  };
  /** Whether any file of the platform's home holds the text, in any of the forms that JSON or protobuf give it. */
  async function homeHolds(text: string): Promise<boolean> {
    const forms = [text, Buffer.from(text).toString('base64').slice(2, -4)];
    for (const entry of await readdir(house.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0));
      if (forms.some((form) => bytes.includes(form))) return true;
    }
    return false;
  }

  for (const [namespace, sealing] of [
    ['orders.local', 'off'],
    ['default.local', 'on'],
  ] as const)
    test(`every feature of the TypeScript SDK passes with the codec and the platform's sealing ${sealing}`, async () => {
      const from = (await house.events()).length;
      assert.equal(house.up.platform.directory.snapshot().namespaces.get(namespace)?.sealing, sealing);
      const outcome = await startWorkerProcess(worker, houseTarget(house, namespace), { mode: 'features' })
        .ended;
      const failed = outcome.lines.filter((it) => it['ok'] !== true);
      assert.deepEqual(failed, [], outcome.log);
      assert.ok(outcome.lines.filter((it) => 'feature' in it).length >= 21);
      assert.deepEqual(await refusedCalls(house, from), []);
      // What these features say in input, result, signal, memo, and failure.
      for (const text of ['Hello, gate', 'at once', 'asked for', 'remember', 'an empty text is not kept'])
        assert.equal(await homeHolds(text), false, text);
    });

  test('with the codec endpoint the CLI reads and writes what the Worker does, without it only ciphertext', async () => {
    const id = randomUUID();
    const codec = ['--codec-endpoint', open];
    const start = ['--workflow-id', id, '--type', 'echo', '--task-queue', taskQueue];
    const result = JSON.parse(
      await ok('workflow', 'execute', ...start, '--input', '"a sealed letter"', ...codec),
    );
    assert.deepEqual([result.status, result.result], ['COMPLETED', 'a sealed letter']);
    const [decoded, raw] = [
      await ok('workflow', 'show', '--workflow-id', id, ...codec),
      await ok('workflow', 'show', '--workflow-id', id),
    ];
    assert.deepEqual(inputIn(decoded), ['json/plain', '"a sealed letter"']);
    assert.doesNotMatch(decoded, /encryption-key-id/);
    const [encoding, data = ''] = inputIn(raw);
    assert.equal(encoding, 'binary/encrypted');
    assert.doesNotMatch(data, /letter/);
    assert.equal(await homeHolds('a sealed letter'), false);
  });

  test('signals, queries, memo and updates of the CLI are encrypted on the way and read on the way back', async () => {
    const id = randomUUID();
    const codec = ['--codec-endpoint', open];
    const which = ['--workflow-id', id];
    const start = [
      ...which,
      '--type',
      'mailbox',
      '--task-queue',
      taskQueue,
      '--memo',
      'note="a sealed memo"',
    ];
    await ok('workflow', 'start', ...start, ...codec);
    await ok('workflow', 'signal', ...which, '--name', 'put', '--input', '"by signal"', ...codec);
    await ok('workflow', 'update', 'execute', ...which, '--name', 'add', '--input', '"by update"', ...codec);
    const { queryResult } = JSON.parse(await ok('workflow', 'query', ...which, '--type', 'texts', ...codec));
    assert.deepEqual(queryResult, [['by signal', 'by update']]);
    assert.match(await ok('workflow', 'describe', ...which, ...codec), /a sealed memo/);
    assert.doesNotMatch(await ok('workflow', 'describe', ...which), /sealed memo/);
    await ok('workflow', 'terminate', ...which);
    for (const text of ['by signal', 'by update', 'a sealed memo'])
      assert.equal(await homeHolds(text), false);
  });

  test('message and stack trace of a failure are read with the codec endpoint alone', async () => {
    const id = randomUUID();
    const start = ['--workflow-id', id, '--type', 'mailbox', '--task-queue', taskQueue];
    await ok('workflow', 'start', ...start, '--codec-endpoint', open);
    const update = ['workflow', 'update', 'execute', '--workflow-id', id, '--name', 'add', '--input', '""'];
    const refused = await run(...update, '--codec-endpoint', open);
    assert.match(refused.stderr, /an empty text is not kept/);
    const hidden = await run(...update);
    assert.doesNotMatch(hidden.stderr + hidden.stdout, /empty text/);
    await ok('workflow', 'terminate', '--workflow-id', id);
    assert.equal(await homeHolds('an empty text is not kept'), false);
  });

  test('T-070a the CLI reads with a token of the issuer for this namespace, and with no other', async () => {
    const id = randomUUID();
    const start = ['--workflow-id', id, '--type', 'echo', '--task-queue', taskQueue, '--input', '"for Ann"'];
    await ok('workflow', 'execute', ...start, '--codec-endpoint', open);
    const show = async (auth: string | undefined, ...more: string[]) =>
      await run(
        ...more,
        ...['workflow', 'show', '--workflow-id', id, '--codec-endpoint', guarded],
        ...(auth === undefined ? [] : ['--codec-auth', auth]),
      );
    const token = (permission: string) => issuer.sign({ permissions: [permission] });
    const mine = await show(`Bearer ${await token('orders.local:read')}`);
    assert.deepEqual(inputIn(mine.stdout), ['json/plain', '"for Ann"']);
    for (const [auth, status] of [
      [undefined, 401],
      [`Bearer ${await token('default.local:admin')}`, 403],
      ['Bearer nonsense', 401],
    ] as const) {
      const from = log.length;
      const refused = await show(auth, '--command-timeout', '2s');
      assert.notEqual(refused.exitCode, 0);
      assert.equal(refused.stdout, '');
      // The CLI asks again until its time is up.
      const statuses = new Set(log.slice(from).map((line) => JSON.parse(line).status));
      assert.deepEqual([...statuses], [status]);
    }
  });

  test('without the codec the same text lies in the home: the search would have found it', async () => {
    const text = 'written in clear';
    const start = ['--workflow-id', randomUUID(), '--type', 'echo', '--task-queue', randomUUID()];
    await ok('workflow', 'start', ...start, '--input', `"${text}"`);
    assert.equal(await homeHolds(text), true);
  });
});

/** Encoding and data of the first input in a history as the CLI prints it. */
function inputIn(history: string): string[] {
  const [input] = JSON.parse(history).events[0].workflowExecutionStartedEventAttributes.input.payloads;
  return [input.metadata.encoding, input.data].map((text) => Buffer.from(text, 'base64').toString());
}
