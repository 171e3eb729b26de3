import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { signatureOf, watchFiles } from './watch-files.ts';

test('a change is told once the files are still: written, replaced, removed, made, or changed before the watch began', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-watch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  writeFileSync(first, '1');
  const since = await signatureOf([first, second]);
  let told = 0;
  writeFileSync(second, 'made after it was read');
  const watch = watchFiles(
    () => [first, second],
    async () => {
      told += 1;
    },
    { since, pollMs: 10 },
  );
  t.after(() => watch.stop());
  const expect = async (count: number): Promise<void> => {
    const end = performance.now() + 5000;
    while (told < count) {
      assert.ok(performance.now() < end, `told ${told} times, not ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Nothing more comes of the same change.
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(told, count);
  };
  await expect(1);
  writeFileSync(first, '22');
  await expect(2);
  writeFileSync(join(folder, 'new'), '33');
  renameSync(join(folder, 'new'), first);
  await expect(3);
  rmSync(second);
  await expect(4);
});
