import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { createAuditSigningKey } from '#core/audit/audit-signing-key';
import { openAuditWriter } from '#core/audit/audit-writer';
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
  const writer = await openAuditWriter({
    folder: join(home, 'audit'),
    clock: systemClock,
    log: silentLog,
    signingKey: createAuditSigningKey(),
  });
  const event = {
    kind: 'call',
    timeMs: Date.UTC(2026, 10, 24, 10),
    requestId: 'one',
    connectionId: 'c',
    principal: 'certificate:ab',
    credential: '',
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
