import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

test('one command runs a real Worker and one Workflow through the gateway over mutual TLS', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'gatehouse-once-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { stdout } = await run(
    'npm',
    ['run', '--silent', 'up', '--', '--home', home, '--port', '0', '--once'],
    {
      timeout: 550_000,
    },
  );
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  assert.equal(summary.ok, true);
  assert.equal(summary.proof.result, 'Hello, Gatehouse!');
});
