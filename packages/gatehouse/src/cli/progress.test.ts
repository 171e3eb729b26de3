import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgress } from './progress.ts';
import { Interrupted } from './until-stopped.ts';

function recording(): { readonly lines: string[]; readonly write: (text: string) => void } {
  const lines: string[] = [];
  return { lines, write: (text) => lines.push(text.replace(/\d+\.\d s/, 'N s')) };
}

test('a quick step is one line, one over a second is announced first, and so is what it tells', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { lines, write } = recording();
  const progress = createProgress(write, { reason: () => undefined });
  assert.equal(await progress.step('Quick', async () => 7), 7);
  await progress.step('Slow', async (tell) => {
    t.mock.timers.tick(1001);
    tell('half way');
  });
  assert.deepEqual(lines, ['✓ Quick (N s)\n', '  Slow …\n', '  half way\n', '✓ Slow (N s)\n']);
});

test('a step that fails is marked, and its error goes on', async () => {
  const { lines, write } = recording();
  const progress = createProgress(write, { reason: () => undefined });
  await assert.rejects(
    progress.step('Bad', () => Promise.reject(new Error('why'))),
    /why/,
  );
  assert.deepEqual(lines, ['✗ Bad\n']);
});

test('once the process is to end no step begins, and one that fails by it was broken off', async () => {
  let reason: string | undefined;
  const progress = createProgress(() => undefined, { reason: () => reason });
  await assert.rejects(
    progress.step('Building', async () => {
      reason = 'SIGTERM';
      throw new Error('exit 143 of the compiler');
    }),
    (error) => error instanceof Interrupted && error.exitCode === 143,
  );
  let begun = false;
  await assert.rejects(
    progress.step('Next', async () => {
      begun = true;
    }),
    Interrupted,
  );
  assert.equal(begun, false);
});
