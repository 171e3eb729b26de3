import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { formatGrpcTimeout, parseGrpcTimeout } from './grpc-timeout.ts';

const malformed = (error: unknown): boolean => error instanceof Refusal && error.code === 'timeout_malformed';

test('T-038 each unit of grpc-timeout is read, up to eight digits', () => {
  for (const [header, ms] of [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['4m', 4],
    ['5000u', 5],
    ['6000000n', 6],
    ['0S', 0],
    ['007S', 7000],
    ['99999999m', 99_999_999],
    ['99999999H', 99_999_999 * 3_600_000],
  ] as const) {
    const read = parseGrpcTimeout(header) ?? Number.NaN;
    assert.ok(Math.abs(read - ms) < 1e-6, `${header}: ${read}`);
  }
});

test('T-038 a call without grpc-timeout has none', () => {
  assert.equal(parseGrpcTimeout(undefined), undefined);
});

test('T-038 a malformed, negative or absurd grpc-timeout is refused', () => {
  for (const header of [
    '',
    'S',
    '1',
    '-1S',
    '+1S',
    '1.5S',
    '1e3S',
    '0x1S',
    ' 1S',
    '1 S',
    '1S ',
    '1s',
    '1h',
    '1SS',
    '1S,2S',
    '1S, 1S',
    '123456789S',
    '100000000n',
    'InfinityS',
    'NaNm',
    '１S',
    '1\u0000S',
    '9'.repeat(10_000),
    `${'9'.repeat(10_000)}S`,
  ]) {
    assert.throws(() => parseGrpcTimeout(header), malformed, header.slice(0, 20));
  }
});

test('what is accepted is what the specification allows, and nothing else', () => {
  const likely = fc.stringMatching(/^[0-9HMSmun+-. ]{0,12}$/);
  fc.assert(
    fc.property(fc.oneof(likely, fc.string({ maxLength: 12 })), (header) => {
      const allowed = /^[0-9]{1,8}[HMSmun]$/.test(header);
      if (allowed) assert.ok((parseGrpcTimeout(header) ?? -1) >= 0);
      else assert.throws(() => parseGrpcTimeout(header), malformed);
    }),
    { numRuns: 1000 },
  );
});

test('T-038 a timeout that goes on to the engine is never longer than the one that came', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e14, noNaN: true }), (ms) => {
      const read = parseGrpcTimeout(formatGrpcTimeout(ms)) ?? Number.NaN;
      assert.ok(read <= ms);
      // Whole milliseconds, and whole seconds from a day on; 99,999,999 s are the most that can be said.
      assert.ok(read > Math.min(ms, 99_999_999_000) - 1000);
      if (ms < 1e8) assert.ok(read > ms - 1);
    }),
  );
  assert.equal(formatGrpcTimeout(-5), '0m');
  assert.equal(formatGrpcTimeout(99_999_999), '99999999m');
  assert.equal(formatGrpcTimeout(100_000_000), '100000S');
  assert.equal(formatGrpcTimeout(Number.MAX_SAFE_INTEGER), '99999999S');
});
