import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { homeAt } from '#app/home';
import { openLocalKms } from '#base/crypto/local-kms';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { createAuditSigningKey } from '#core/audit/audit-signing-key';
import { openAuditWriter } from '#core/audit/audit-writer';
import { openAuditDataKeys } from '#core/audit/fields/audit-data-keys';
import { auditCommand } from './audit.ts';

function sink(): { stream: Writable; text(): string } {
  const parts: string[] = [];
  const stream = new Writable({
    write(chunk: unknown, _encoding, done) {
      parts.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => parts.join('') };
}

async function run(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const stdout = sink();
  const stderr = sink();
  let code = 0;
  const command = auditCommand({
    stdout: stdout.stream,
    stderr: stderr.stream,
    setExitCode: (value) => {
      code = value;
    },
  });
  await command.parseAsync(args, { from: 'user' });
  return { out: stdout.text(), err: stderr.text(), code };
}

/** A home with a chain of one call that went well and one refusal, of hostile text. */
async function homeOf(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-home-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const { kmsKeyFile, auditDataKeys } = homeAt(home);
  await mkdir(join(home, 'keys'));
  const parts = { clock: systemClock, log: silentLog };
  const kms = await openLocalKms(kmsKeyFile);
  const writer = await openAuditWriter({
    ...parts,
    folder: join(home, 'audit'),
    signingKey: createAuditSigningKey(),
    dataKeys: await openAuditDataKeys({ ...parts, folder: auditDataKeys, kms }),
  });
  const event = {
    kind: 'call',
    timeMs: Date.UTC(2026, 10, 24, 10),
    requestId: 'one',
    connectionId: 'c',
    principal: 'certificate:ab',
    credential: 'CN=orders CA 7b01',
    namespace: 'default.local',
    method: 'WorkflowService/StartWorkflowExecution',
    outcome: 'ok',
    status: 0,
    reason: '',
    severity: 'low',
    peer: '127.0.0.1:5',
    endpoint: '',
    durationMs: 1,
    count: 1,
    detail: '',
  } as const;
  writer.append(event);
  writer.append({
    ...event,
    outcome: 'refused',
    reason: 'namespace_mismatch',
    detail: '\u001b[2J\n=cmd\u202e',
  });
  await writer.close();
  return home;
}

test('verify says that the chain holds, as a sentence and as JSON', async (t) => {
  const home = await homeOf(t);
  const table = await run('verify', '--home', home);
  assert.equal(table.code, 0);
  assert.match(
    table.out,
    /^verified: 7 records in 1 segments, the last is 6 \([0-9a-f]{64}\)\nsigned up to record 6/,
  );
  const json = JSON.parse((await run('verify', '--home', home, '--output', 'json')).out);
  assert.equal(json.verified, true);
  assert.equal(json.firstBadSeq, null);
});

test('T-086 verify fails with the number of the first bad record', async (t) => {
  const home = await homeOf(t);
  const path = join(home, 'audit', '00000001.jsonl');
  await writeFile(path, (await readFile(path, 'latin1')).replace('"refused"', '"ok"'));
  const table = await run('verify', '--home', home);
  assert.equal(table.code, 1);
  assert.match(table.out, /^BROKEN: first bad record 4 \(segment 1\)/);
  const json = await run('verify', '--folder', join(home, 'audit'), '--output', 'json');
  assert.equal(json.code, 1);
  assert.equal(JSON.parse(json.out).firstBadSeq, 4);
});

test('T-087 verify holds the chain against a trusted key and against a witness', async (t) => {
  const [home, other] = [await homeOf(t), await homeOf(t)];
  const key = join(home, 'audit', 'signing-key.pem');
  const witness = join(home, 'audit', 'latest-checkpoint.json');
  assert.equal((await run('verify', '--home', home, '--public-key', key, '--witness', witness)).code, 0);
  assert.equal((await run('verify', '--home', other, '--public-key', key)).code, 1);
  assert.equal((await run('verify', '--home', other, '--witness', witness)).code, 1);
});

test('a home without a chain is one readable sentence and not a success', async () => {
  for (const command of ['verify', 'tail', 'search']) {
    const { code, err } = await run(command, '--home', join(tmpdir(), 'gatehouse-nowhere'));
    assert.equal(code, 1);
    assert.match(err, /^gatehouse audit: .+\n$/);
  }
});

test('T-088 no record can move the cursor of whom it is shown to', async (t) => {
  const home = await homeOf(t);
  for (const output of ['table', 'json']) {
    const { out } = await run('tail', '--home', home, '--output', output);
    assert.match(out, /^[ -~\n]*$/);
    assert.ok(out.includes('\\u001b[2J\\n=cmd\\u202e'));
  }
});

test('tail and search show what the filter lets through', async (t) => {
  const home = await homeOf(t);
  const ids = async (...args: string[]): Promise<string[]> => {
    const { out } = await run(...args, '--home', home, '--output', 'json');
    return out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).outcome);
  };
  assert.deepEqual(await ids('tail', '-n', '2', '--namespace', 'default.local'), ['ok', 'refused']);
  assert.deepEqual(await ids('search', '--outcome', 'refused'), ['refused']);
  assert.deepEqual(await ids('search', '--since', '2026-11-24T10:00Z', '--until', '2026-11-24T10:01Z'), [
    'ok',
    'refused',
  ]);
});

test('search finds by peer and by credential, though both are sealed on disk', async (t) => {
  const home = await homeOf(t);
  const chain = await readFile(join(home, 'audit', '00000001.jsonl'), 'latin1');
  assert.ok(!chain.includes('127.0.0.1') && !chain.includes('CN=orders'));
  const found = async (...args: string[]): Promise<number> => {
    const { out } = await run('search', ...args, '--home', home, '--output', 'json');
    return out.split('\n').filter(Boolean).length;
  };
  assert.equal(await found('--peer', '127.0.0.1'), 2);
  assert.equal(await found('--peer', '127.0.0.1:5'), 2);
  assert.equal(await found('--peer', '127.0.0.1:6'), 0);
  assert.equal(await found('--credential', 'CN=orders CA 7b01'), 2);
});

test('without the home’s keys the records are shown with what is personal sealed, and that is told', async (t) => {
  const home = await homeOf(t);
  const args = ['tail', '--folder', join(home, 'audit'), '--home', join(tmpdir(), 'gatehouse-nowhere')];
  const table = await run(...args);
  assert.equal(table.code, 0);
  assert.match(table.out, /refused +namespace_mismatch .* sealed +certificate:ab +sealed\n/);
  assert.match(
    table.err,
    /^gatehouse audit: of the records read, 2 have fields that the keys in .* do not open\n$/,
  );
  const [, line = ''] = (await run(...args, '--output', 'json')).out.split('\n');
  const record = JSON.parse(line);
  assert.deepEqual(record.closed, { credential: 'sealed', peer: 'sealed' });
  assert.match(record.peer, /^~/);
  const opened = JSON.parse((await run('tail', '--home', home, '--output', 'json')).out.split('\n')[1] ?? '');
  assert.equal(opened.peer, '127.0.0.1:5');
  assert.equal(opened.hash, record.hash);
  assert.equal('closed' in opened, false);
});

test('erase does nothing without its confirmation, and takes a month only', async (t) => {
  const home = await homeOf(t);
  const keys = await readdir(join(home, 'keys', 'audit-data'));
  for (const args of [[], ['--confirm', '2026-04']]) {
    const { code, out, err } = await run('erase', '--home', home, '--before', '2026-05', ...args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /^gatehouse audit erase: nothing was done\. .*To do it, add --confirm 2026-05\n$/s);
  }
  assert.deepEqual(await readdir(join(home, 'keys', 'audit-data')), keys);
});

test('every command shows examples in its help', () => {
  for (const command of auditCommand().commands) {
    let help = '';
    command
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    assert.match(help, /Examples:\n {2}\$ gatehouse audit /);
  }
});
