import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readmeFaults } from './readme-faults.ts';

const README = 'packages/one/src/base/README.md';

/** The faults of a small repository where this is a folder's README. */
function faultsOf(t: TestContext, text: string): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-readme-'));
  t.after(() => rmSync(root, { recursive: true }));
  const files = {
    [README]: text,
    'packages/one/src/base/noun.ts': '',
    'packages/one/src/app/part/start.ts': '',
    'docs/page.md': '',
    'node_modules/other/README.md': '`gone.ts`',
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return readmeFaults(root);
}

test("every file that a folder's README names is there, and no README is too long", () => {
  assert.deepEqual(readmeFaults(fileURLToPath(new URL('..', import.meta.url))), []);
});

test('a name is looked for beside its README, from the root and from the sources, and may stand for several', (t) => {
  const text =
    '`noun.ts`, `no*.ts`, `../app/`, `docs/page.md`, `app/part/start.ts`, [page](../../../../docs/page.md#top)\n' +
    'Not names: `x.ts`, `a.b`, `--flag`, `base/model`, [site](https://example.com/a)\n';
  assert.deepEqual(faultsOf(t, text), []);
});

test('a file, a folder or the target of a link that is missing is a fault', (t) => {
  assert.deepEqual(
    faultsOf(t, 'See `gone.ts` and `noun.ts`, then\n`gone/`, `no-*.mjs` and [a page](gone.md).\n'),
    [
      `${README}: gone.ts is not there`,
      `${README}: gone/ is not there`,
      `${README}: no-*.mjs is not there`,
      `${README}: gone.md is not there`,
    ],
  );
});

test('a sixteenth line is a fault', (t) => {
  assert.deepEqual(faultsOf(t, 'line\n'.repeat(15)), []);
  assert.deepEqual(faultsOf(t, 'line\n'.repeat(16)), [`${README}: 16 lines, 15 are the limit`]);
});
