import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type MemoryUse, startMemoryReturn } from './memory-return.ts';

const MIB = 1024 * 1024;
const wave: MemoryUse = { busy: 0.9, heapBytes: 256 * MIB, usedBytes: 100 * MIB };
const quiet: MemoryUse = { ...wave, busy: 0.01 };

/** How often memory was given back while this was seen, a look each. */
function collections(t: TestContext, seen: readonly MemoryUse[]): number {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let at = 0;
  let count = 0;
  const stop = startMemoryReturn({
    look: () => seen[at++] ?? wave,
    collect: () => {
      count += 1;
    },
  });
  for (const _ of seen) t.mock.timers.tick(1_000);
  stop();
  t.mock.timers.tick(60_000);
  t.mock.timers.reset();
  return count;
}

test('memory is given back when a wave is over, and not before', (t) => {
  assert.equal(collections(t, [wave, wave, quiet, quiet]), 1);
  assert.equal(collections(t, [wave, quiet, wave, quiet, wave]), 0);
});

test('a process that has little to give back is left alone', (t) => {
  const small = { ...quiet, heapBytes: 120 * MIB };
  const full = { ...quiet, heapBytes: 1_000 * MIB, usedBytes: 900 * MIB };
  assert.equal(collections(t, [small, small, small, full, full, full]), 0);
});

test('the memory of a young generation that has grown goes back to the system while the process rests', async (t) => {
  const program = `
    import { startMemoryReturn } from ${JSON.stringify(new URL('memory-return.ts', import.meta.url).href)};
    import { getHeapSpaceStatistics } from 'node:v8';
    const youngMib = () =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20;
    let kept = [];
    while (youngMib() < 100) {
      kept.push({ any: kept.length });
      if (kept.length > 3e5) kept = [];
    }
    kept = [];
    const grown = process.memoryUsage.rss();
    startMemoryReturn();
    const timer = setInterval(() => {
      if (process.memoryUsage.rss() > grown - 50 * 2 ** 20) return;
      clearInterval(timer);
      console.log('shrunk');
    }, 50);`;
  const flags = ['--expose-gc', '--max-semi-space-size=64', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const [line] = await once(child.stdout, 'data');
  assert.equal(String(line).trim(), 'shrunk');
});
