import assert from 'node:assert/strict';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Coverage } from './driver/coverage.ts';
import { loadTarget } from './driver/fuzz-target.ts';
import { Fuzzer } from './driver/fuzzer.ts';
import { COUNTERS, instrument } from './driver/instrument.ts';
import { type RunOutcome, runTarget } from './driver/run-target.ts';

const PLANTED = join(import.meta.dirname, 'driver/planted');
/** Far more than is needed: a run ends with its finding. */
const SECONDS = 120;
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-driver-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function runPlanted(name: string, hangMs = 60_000): Promise<RunOutcome> {
  return runTarget({
    name,
    file: join(PLANTED, `${name}.fuzz.ts`),
    sources: '/driver/planted/',
    corpus: join(folder, 'corpus', name),
    findings: join(folder, 'findings'),
    seconds: SECONDS,
    seed: 7,
    hangMs,
  });
}

const found = (name: string): Buffer => readFileSync(join(folder, 'findings', `${name}-7`));

describe('a planted fault of each kind is found', { concurrency: 2 }, () => {
  test('behind guards that chance alone does not pass, and the input is as small as it gets', async () => {
    const { fault, runs } = await runPlanted('throws');
    assert.match(fault ?? '', /the guarded place/);
    assert.match(fault ?? '', /seed 7, run \d+/);
    assert.equal(found('throws').toString('hex'), 'c3179a44e5');
    assert.ok(runs > 100);
  });

  test('an input that never ends', async () => {
    const { fault } = await runPlanted('hangs', 2000);
    assert.match(fault ?? '', /hung for 2000 ms/);
    assert.ok(found('hangs').includes('!'));
  });

  test('an input that takes all memory', async () => {
    const { fault } = await runPlanted('hoards');
    assert.match(fault ?? '', /heap out of memory/);
    assert.ok(found('hoards').includes('!'));
  });

  test('an input that takes long', async () => {
    const { fault } = await runPlanted('dawdles');
    assert.match(fault ?? '', /computed for \d+ ms/);
    assert.ok(found('dawdles').includes('!'));
  });
});

test('the smallest inputs that open new ground are kept, and no others', async () => {
  const file = join(PLANTED, 'refuses.fuzz.ts');
  const coverage = new Coverage();
  coverage.watch('/driver/planted/', file);
  const stateFd = openSync(join(folder, 'state'), 'w');
  const fuzzer = new Fuzzer(await loadTarget(file), coverage, { seed: 7, stateFd });
  const inputs = ['00', 'c3ffffffff', 'c3', 'c317', 'c317ff', 'c3179a44', 'c3179a44e5ffff', 'ffff'];
  await fuzzer.begin(inputs.map((hex) => Buffer.from(hex, 'hex')));
  const kept = (await fuzzer.smallest(10)).map((input) => input.toString('hex')).sort();
  assert.deepEqual(kept, ['', 'c3', 'c317', 'c3179a44', 'c3179a44e5ffff']);
});

const SOURCE = `
  const f = (n: number): string => n > 2 && n < 9 ? 'some' : (n || 0) === 0 ? 'none' : 'other';
  export function tell(list: readonly number[]): string {
    let text = '';
    for (const n of list) if (n === 1) continue; else { switch (n) { case 2: text += 'two'; break; default: text += f(n); } }
    while (text.length > 20) text = text.slice(1);
    try { if (text === '') throw new Error('empty'); } catch (error) { return (error as Error).message; }
    return text;
  }`;

test('counters change nothing of what a source does, and stand on the lines of the source', async () => {
  const { text, places, words } = instrument(SOURCE, 'x.ts', 5);
  assert.equal(text.split('\n').length, SOURCE.split('\n').length);
  assert.ok(words.includes('some') && words.includes('\x09'));
  const counters = new Uint8Array(5 + places);
  Object.assign(globalThis, { [COUNTERS]: counters });
  const [plain, counted] = await Promise.all(
    [SOURCE, text].map(async (source, index) => {
      const path = join(folder, `tell-${index}.ts`);
      writeFileSync(path, source);
      return (await import(path)) as { tell(list: readonly number[]): string };
    }),
  );
  for (const list of [[], [1], [2, 1, 3], [0, 9, 10], [3, 3, 3, 3, 3, 3, 3, 3]])
    assert.equal(counted?.tell(list), plain?.tell(list));
  assert.deepEqual([...counters.subarray(0, 5)], [0, 0, 0, 0, 0]);
  assert.ok(counters.subarray(5).every((count) => count > 0));
});
