import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CORPUS, loadTarget, readCorpus, targetFiles } from './driver/fuzz-target.ts';

const targets = targetFiles();

describe('what the fuzzers kept', () => {
  for (const { name, file } of targets) {
    test(`${name} keeps its promises on every input of its corpus`, async () => {
      const { fuzz, close } = await loadTarget(file);
      const inputs = readCorpus(join(CORPUS, name));
      assert.ok(inputs.length > 0, 'there is no corpus: run the target with GATEHOUSE_FUZZ_KEEP=1');
      for (const input of inputs) await fuzz(input);
      close?.();
    });
  }
});

test('each name is that of one target, and each folder of the corpus is that of a target', () => {
  const names = targets.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  const folders = readdirSync(CORPUS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(
    folders.map(({ name }) => name).filter((name) => !names.includes(name)),
    [],
  );
});
