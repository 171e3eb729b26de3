import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { endHungTests } from './end-hung-tests.ts';

test('a process that computes without end, and hears no signal, is ended by name', async () => {
  const deaf = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); for (;;);', 'deaf.test.ts']);
  const ended: string[] = [];
  const watch = new AbortController();
  const watching = endHungTests(
    process.pid,
    { olderThanMs: 1000, onEnd: (command) => ended.push(command) },
    watch.signal,
  );
  const [, signal] = await once(deaf, 'exit');
  watch.abort();
  await watching;
  assert.equal(signal, 'SIGKILL');
  assert.deepEqual(ended, ['deaf.test.ts']);
});
