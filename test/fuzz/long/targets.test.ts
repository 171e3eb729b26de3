// Every target for a while, by the group `fuzz`. ../README.md says what can be set.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { targetFiles } from '../driver/fuzz-target.ts';
import { runTarget } from '../driver/run-target.ts';

const seconds = Number(process.env['GATEHOUSE_FUZZ_SECONDS'] ?? 5);
const seed = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const keep = process.env['GATEHOUSE_FUZZ_KEEP'] === '1';
const wanted = (process.env['GATEHOUSE_FUZZ_TARGETS'] ?? '').split(',');
const targets = targetFiles().filter(({ name }) => wanted.some((part) => name.includes(part)));
assert.ok(targets.length > 0, `no target has ${wanted} in its name`);

describe(`for ${seconds} s each, seed ${seed}`, { concurrency: availableParallelism() }, () => {
  for (const target of targets) {
    test(`${target.name} keeps its promises`, async (t) => {
      const { text, fault } = await runTarget({ ...target, seconds, seed, keep });
      t.diagnostic(text);
      assert.equal(fault, undefined, fault);
    });
  }
});
