import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { formatDuration, parseDuration } from './duration.ts';

const HOUR_MS = 3_600_000;

describe('durations as tcld writes them', () => {
  it('numbers with units are added up, fractions and signs included', () => {
    assert.equal(parseDuration('30d10h'), 730 * HOUR_MS);
    assert.equal(parseDuration('1.5y'), 1.5 * 365 * 24 * HOUR_MS);
    assert.equal(parseDuration('1h1m1s'), 3_661_000);
    assert.equal(parseDuration('.5m'), 30_000);
    assert.equal(parseDuration('1.d'), 24 * HOUR_MS);
    assert.equal(parseDuration('-2h'), -2 * HOUR_MS);
    assert.equal(parseDuration('+2h'), 2 * HOUR_MS);
    assert.equal(parseDuration('0'), 0);
  });

  it('anything else is refused', () => {
    for (const bad of [
      '',
      '1',
      'd',
      '1w',
      '1ms',
      '1 d',
      '.h',
      '--1h',
      '1hh',
      '1e3h',
      `${'9'.repeat(80)}y`,
      `${'9'.repeat(30)}y`,
    ])
      assert.throws(() => parseDuration(bad), Refusal, bad);
  });

  it('any text is read as a number of milliseconds or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+-]?[0-9.smhdy]{0,70}$/)), (text) => {
        try {
          assert.ok(Number.isSafeInteger(parseDuration(text)));
        } catch (error) {
          assert.ok(error instanceof Refusal);
        }
      }),
    );
  });

  it("whole seconds are written in tcld's form", () => {
    assert.equal(formatDuration(8760 * HOUR_MS), '8760h0m0s');
    assert.equal(formatDuration(61_000), '1m1s');
    assert.equal(formatDuration(5_000), '5s');
    assert.equal(formatDuration(-HOUR_MS), '-1h0m0s');
    assert.equal(formatDuration(0), '0s');
  });
});
