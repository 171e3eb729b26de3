import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkLayers } from './check-layers.ts';

const table = {
  storeys: { base: ['low', 'wire'], core: ['high'] },
  layers: {
    'base/low': [],
    'base/wire': ['base/low'],
    'core/high': ['base/*'],
    app: ['base/*', 'core/*'],
    testing: ['app', 'base/*', 'core/*'],
  },
  restricted: [{ modules: ['node:tls', 'sql'], only: ['base/wire'], why: 'a reason' }],
};

/** A building without a fault; each test plants one. */
const sound: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module", "imports": { "#*": { "source": "./src/*.ts" } } }',
  'node_modules/sql/package.json': '{ "name": "sql", "main": "index.js" }',
  'node_modules/sql/index.js': '',
  'src/base/low/noun.ts': 'export const noun = 1;\nexport type Noun = number;\n',
  'src/base/wire/listener.ts': "import 'node:tls';\nimport 'sql';\nexport { noun } from '#base/low/noun';\n",
  'src/core/high/rule.ts': "export { noun } from '#base/wire/listener';\nimport './part/detail.ts';\n",
  'src/core/high/rule.test.ts': "import 'node:tls';\nimport '#testing/house';\nimport './rule.ts';\n",
  'src/core/high/part/detail.ts': 'export const detail = 1;\n',
  'src/app/start.ts': "export { noun } from '#core/high/rule';\n",
  'src/testing/house.ts': "import 'node:tls';\nexport { noun } from '#app/start';\n",
};

/** The faults of the sound building with these files added or put in place of its own. */
async function faultsWith(t: TestContext, planted: Readonly<Record<string, string>>): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-layers-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries({ ...sound, ...planted })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return (await checkLayers({ root, sources: 'src', others: [], table })).join('\n');
}

test('a sound building has no fault', async (t) => {
  assert.equal(await faultsWith(t, {}), '');
});

test('an import upwards is a fault, also of a type alone, and in a test', async (t) => {
  const up = "import type { detail } from '#core/high/part/detail';\n";
  const planted = { 'src/base/low/up.ts': up, 'src/base/low/up.test.ts': up, 'src/base/low/here.ts': '' };
  const faults = await faultsWith(t, planted);
  assert.match(faults, /src\/base\/low\/up\.ts → src\/core\/high\/part\/detail\.ts\n {4}layer base\/low:/);
  assert.match(faults, /src\/base\/low\/up\.test\.ts → .*\n {4}layer base\/low \(tests\)/);
});

test('an import sideways that the table does not list is a fault', async (t) => {
  const faults = await faultsWith(t, { 'src/base/low/side.ts': "import '#base/wire/listener';\n" });
  assert.match(faults, /src\/base\/low\/side\.ts → src\/base\/wire\/listener\.ts\n {4}layer base\/low/);
});

test('sources that are no test do not see the fixtures', async (t) => {
  const faults = await faultsWith(t, { 'src/app/wrong.ts': "import '#testing/house';\n" });
  assert.match(faults, /src\/app\/wrong\.ts → src\/testing\/house\.ts\n {4}layer app/);
});

test('a circle is a fault, also one of types alone', async (t) => {
  const faults = await faultsWith(t, {
    'src/base/low/a.ts': "import type { b } from './b.ts';\nexport type a = b;\n",
    'src/base/low/b.ts': "import type { a } from './a.ts';\nexport type b = a | 1;\n",
  });
  assert.match(faults, /src\/base\/low\/[ab]\.ts → .*\n {4}circle/);
});

test('a crossing by a relative path is a fault, and an alias inside a folder', async (t) => {
  const faults = await faultsWith(t, {
    'src/base/wire/relative.ts': "import '../low/noun.ts';\n",
    'src/base/wire/alias.ts': "import '#base/wire/listener';\n",
  });
  assert.match(faults, /src\/base\/wire\/relative\.ts → .*\n {4}crossing-by-relative-path/);
  assert.match(faults, /src\/base\/wire\/alias\.ts → .*\n {4}own-folder-by-alias/);
  assert.equal(faults.split('\n').length, 4);
});

test('a restricted module outside of its folders is a fault, also of its types alone', async (t) => {
  const faults = await faultsWith(t, {
    'src/core/high/node.ts': "import type { TLSSocket } from 'node:tls';\nexport type It = TLSSocket;\n",
    'src/core/high/npm.ts': "import 'sql';\n",
  });
  assert.match(
    faults,
    /src\/core\/high\/node\.ts → .*\n {4}restricted node:tls, sql: only base\/wire: a reason/,
  );
  assert.match(faults, /src\/core\/high\/npm\.ts → .*\n {4}restricted/);
});

test('a folder that the table does not hold is a fault, and so is a file outside of all folders', async (t) => {
  const faults = await faultsWith(t, {
    'src/core/new/it.ts': '',
    'src/base/loose.ts': '',
    'src/loose.ts': '',
  });
  for (const path of ['src/core/new', 'src/base/loose.ts', 'src/loose.ts']) {
    assert.ok(faults.includes(`${path}: in no folder that layers.mjs knows`), faults);
  }
});

test('an import that leads nowhere is a fault', async (t) => {
  const faults = await faultsWith(t, { 'src/core/high/gone.ts': "import '#base/low/gone';\n" });
  assert.match(faults, /src\/core\/high\/gone\.ts → .*\n {4}unresolved/);
});

test('a file of the package does not leave the package', async (t) => {
  const faults = await faultsWith(t, {
    'src/core/high/out.ts': "import '../../../scripts/tool.ts';\n",
    'scripts/tool.ts': '',
  });
  assert.match(faults, /src\/core\/high\/out\.ts → scripts\/tool\.ts\n {4}out-of-the-package/);
});

test('a check that read fewer files than there are fails', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-layers-'));
  t.after(() => rmSync(root, { recursive: true }));
  await mkdir(join(root, 'src'));
  assert.deepEqual(await checkLayers({ root, sources: 'src', others: [], table }), [
    'no source file was found',
  ]);
});
