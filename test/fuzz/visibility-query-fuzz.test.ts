import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkRewrite,
  differenceOfReading,
  readOurselves,
} from '../../packages/gatehouse/src/core/sealing/visibility-query/check-rewrite-fixture.test.ts';
import { runQueryFuzz } from './visibility-query-fuzz.ts';

// A few seconds in the inner loop; the group e2e asks the engine's own parser as well.
const SECONDS = 4;

test('T-083 mutated queries are refused, or ask sealed attributes for sealed texts alone', async (t) => {
  const seed = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const { queries, outcomes } = await runQueryFuzz({ seed, milliseconds: SECONDS * 1000 });
  t.diagnostic(JSON.stringify(outcomes));
  // Else the fuzz shows nothing: it must reach each outcome, and often.
  for (const what of ['unchanged', 'rewritten', 'filter_refused', 'query_refused']) {
    assert.ok((outcomes[what] ?? 0) > queries / 100, what);
  }
});

test('a planted difference of each kind is noticed', () => {
  const query = "Customer = 'canary' AND NOT Region = 'x'";
  const { sent } = checkRewrite(query, 1);
  assert.ok(sent);
  const [asked, found] = [readOurselves(query), readOurselves(sent)];
  assert.equal(differenceOfReading(query, sent, asked, found), undefined);
  assert.match(differenceOfReading(query, query, asked, asked) ?? '', /asked in clear: \["=","Customer"/);
  const other = { ...found, orderBy: ['Region'] };
  assert.match(differenceOfReading(query, sent, asked, other) ?? '', /we read/);
  const fault = { ...found, where: null, error: 'syntax' };
  assert.match(differenceOfReading(query, sent, asked, fault) ?? '', /is refused: syntax/);
  const region = "Region = 'x'";
  const seen = { ...readOurselves(region), names: ['Customer'] };
  assert.match(differenceOfReading(region, region, seen, seen) ?? '', /the engine sees Customer/);
});

test('a run is made again by its seed and round', async () => {
  const once = () => runQueryFuzz({ seed: 11, round: 3, milliseconds: 0 });
  assert.deepEqual(await once(), await once());
});
