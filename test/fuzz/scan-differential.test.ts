import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Accepted,
  askDecoder,
  askScanner,
  difference,
  differenceOfSent,
} from '../../packages/gatehouse/src/testing/proto/scan-target.ts';
import { loadCorpus } from './corpus.ts';
import { runScanFuzz } from './scan-differential.ts';

// A few seconds in the inner loop; the group e2e runs longer, with the engine's own decoder beside this one.
const SECONDS = 5;

test('T-033 T-034 T-035 on mutated messages the scanner and a full decode agree, or the message is refused', async (t) => {
  const seed = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const report = await runScanFuzz({ seed, milliseconds: SECONDS * 1000 });
  t.diagnostic(JSON.stringify(report));
  // Else the fuzz shows nothing: it must get past the scanner, and not always.
  assert.ok(report.accepted > report.inputs / 10);
  assert.ok(report.accepted < (report.inputs * 9) / 10);
});

test('the corpus is refused but where a decoder cannot be misled', () => {
  const accepted = loadCorpus().filter(({ input }) => typeof askScanner(input) !== 'string');
  assert.deepEqual(
    accepted.map(({ name }) => name),
    ['map-key-twice.json', 'map-value-before-key.json'],
  );
});

const PATH = '/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution';
const DIRECTION = 'request';
const input = {
  path: PATH,
  direction: DIRECTION,
  bytes: Buffer.from('\n\x06orders\x12\x01w', 'latin1'),
} as const;

function acceptedInput(): Accepted {
  const scanned = askScanner(input);
  assert.ok(typeof scanned !== 'string');
  return scanned;
}

test('a planted difference of each kind is noticed', () => {
  const scanned = acceptedInput();
  const seen = askDecoder(PATH, DIRECTION, input.bytes);
  assert.equal(seen.mentions.length, 2);
  assert.equal(difference(DIRECTION, scanned, seen), undefined);
  const [, ...missing] = scanned.mentions;
  assert.match(difference(DIRECTION, { ...scanned, mentions: missing }, seen) ?? '', /missed 1:1:/);
  assert.match(
    difference(DIRECTION, scanned, { ...seen, mentions: missing }) ?? '',
    /only the scanner saw 1:1:/,
  );
  assert.match(
    difference(DIRECTION, scanned, { ...seen, unknown: ['99:00'] }) ?? '',
    /let through the unknown/,
  );
  assert.match(difference(DIRECTION, scanned, { ...seen, error: 'no' }) ?? '', /the decoder refuses: no/);
  assert.match(difference(DIRECTION, scanned, { ...seen, method: 'a/B' }) ?? '', /method a\/B/);
  assert.match(difference(DIRECTION, scanned, { ...seen, type: 'C' }) ?? '', /type C/);
});

test('an unknown field is no difference where it is cut, and is one where it goes on', () => {
  const scanned = { ...acceptedInput(), unknown: ['99:00'] };
  const seen = { ...askDecoder(PATH, DIRECTION, input.bytes), unknown: ['99:00'] };
  assert.equal(difference(DIRECTION, scanned, seen), undefined);
  assert.match(differenceOfSent(DIRECTION, scanned, seen) ?? '', /in what is sent: .*unknown 99:00/);
});

test('a run is made again by its seed and round', async () => {
  const once = () => runScanFuzz({ seed: 11, round: 3, milliseconds: 0 });
  assert.deepEqual(await once(), await once());
});
