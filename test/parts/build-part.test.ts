import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildPart } from './build-part.ts';

let cacheFolder: string;
before(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'gatehouse-parts-'));
});
after(async () => await rm(cacheFolder, { recursive: true }));

test('a part is built once for the same inputs, and anew for others', async () => {
  let builds = 0;
  const build = async (folder: string) => await writeFile(join(folder, 'it'), `${++builds}`);
  const [first, again] = await Promise.all([
    buildPart('once', ['a'], { cacheFolder }, build),
    buildPart('once', ['a'], { cacheFolder }, build),
  ]);
  assert.equal(again, first);
  assert.equal(await readFile(join(first, 'it'), 'utf8'), '1');
  assert.notEqual(await buildPart('once', ['b'], { cacheFolder }, build), first);
  assert.equal(builds, 2);
});

test('a build that fails leaves nothing, is tried again, and does not stop the next one', async () => {
  const failing = buildPart('failing', [], { cacheFolder }, async (folder) => {
    await writeFile(join(folder, 'half'), '');
    throw new Error('planted');
  });
  const next = buildPart('next', [], { cacheFolder }, async () => {});
  await assert.rejects(failing, { message: 'planted' });
  await next;
  const left = (await readdir(cacheFolder)).filter((name) => name.includes('failing'));
  assert.deepEqual(left, []);
  await buildPart('failing', [], { cacheFolder }, async () => {});
});
