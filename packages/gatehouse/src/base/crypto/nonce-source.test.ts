import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { createNonceSource, type NonceSource, processNonces } from './nonce-source.ts';

/** 10^6 by default, in a second or two; GATEHOUSE_NONCES=10000000 for the full count of threats.md. */
const COUNT = Number(process.env['GATEHOUSE_NONCES'] ?? 1_000_000);
const PLAINTEXT = Buffer.from('{"hello":"world"}');

const frozenClock = { now: () => 1_700_000_000_000, monotonicMs: () => 5_000 };
const brokenRandom = (target: Buffer): void => {
  target.fill(7);
};
const broken = { clock: frozenClock, random: brokenRandom, processId: 10, instance: 0 };

/** Repeats among the first 8 bytes of what was drawn: fewer than 12 bytes, so it finds more, never less. */
function countRepeats(count: number, sources: readonly NonceSource[], plaintext = PLAINTEXT): number {
  const seen = new BigUint64Array(count * sources.length);
  const nonce = Buffer.alloc(12);
  let at = 0;
  for (let round = 0; round < count; round += 1) {
    for (const source of sources) {
      source.writeNonce(nonce, plaintext);
      seen[at] = nonce.readBigUInt64LE();
      at += 1;
    }
  }
  seen.sort();
  let repeats = 0;
  for (let i = 1; i < seen.length; i += 1) if (seen[i] === seen[i - 1]) repeats += 1;
  return repeats;
}

test('the detector finds a planted repeat', () => {
  assert.equal(countRepeats(100, [createNonceSource(broken), createNonceSource(broken)]), 100);
});

test(`T-078 no nonce repeats over ${COUNT} draws for one plaintext`, () => {
  assert.equal(countRepeats(COUNT, [processNonces()]), 0);
});

test('T-078 no nonce repeats with a random source that always gives the same, on clocks that stand', () => {
  assert.equal(countRepeats(COUNT / 5, [createNonceSource(broken)]), 0);
});

test('T-078 two sources of one process differ though random bytes and clocks are the same', () => {
  const { clock, random, processId } = broken;
  const sources = [1, 2].map(() => createNonceSource({ clock, random, processId }));
  assert.equal(countRepeats(10_000, sources), 0);
});

test('T-078 a fork differs: same secret, same random bytes, same count, same time', () => {
  const sources = [10, 11].map((processId) => createNonceSource({ ...broken, processId }));
  assert.equal(countRepeats(10_000, sources), 0);
});

test('T-078 two threads of one process differ: same random bytes, same count, same time', () => {
  const sources = [0, 1].map((thread) => createNonceSource({ ...broken, thread }));
  assert.equal(countRepeats(10_000, sources), 0);
});

test('T-078 a snapshot restored later differs: same secret, same random bytes, same count', () => {
  const restoredAt = (nowMs: number): NonceSource =>
    createNonceSource({ ...broken, clock: { ...frozenClock, now: () => nowMs } });
  assert.equal(countRepeats(10_000, [restoredAt(1_700_000_000_000), restoredAt(1_700_000_000_001)]), 0);
});

test('T-078 a machine that was suspended differs from its copy by its monotonic time alone', () => {
  const after = (monotonicMs: number): NonceSource =>
    createNonceSource({ ...broken, clock: { ...frozenClock, monotonicMs: () => monotonicMs } });
  assert.equal(countRepeats(10_000, [after(5_000), after(5_000.001)]), 0);
});

test('T-078 copies with everything the same differ by length, head or tail of what they seal', () => {
  const draw = (plaintext: Buffer): string => {
    const nonce = Buffer.alloc(12);
    createNonceSource(broken).writeNonce(nonce, plaintext);
    return nonce.toString('hex');
  };
  const long = Buffer.alloc(10_000, 'x');
  const variants = [
    Buffer.alloc(0),
    Buffer.alloc(1),
    Buffer.alloc(2),
    Buffer.alloc(255),
    Buffer.alloc(256),
    Buffer.alloc(257),
    long,
    long.subarray(1),
    Buffer.concat([Buffer.from('y'), long.subarray(1)]),
    Buffer.concat([long.subarray(1), Buffer.from('y')]),
  ];
  assert.equal(new Set(variants.map(draw)).size, variants.length);
  assert.equal(draw(Buffer.from(long)), draw(long));
});

test('nothing of a plaintext stays in a source for the next draw', () => {
  const nonces = ['a', 'b'].map((earlier) => {
    const source = createNonceSource(broken);
    const nonce = Buffer.alloc(12);
    source.writeNonce(nonce, Buffer.alloc(1_000, earlier));
    source.writeNonce(nonce, PLAINTEXT);
    return nonce.toString('hex');
  });
  assert.equal(nonces[0], nonces[1]);
});

test('the pool of random bytes is drawn anew after 256 draws, and when the wall clock moved by more than a second', () => {
  let fills = 0;
  let nowMs = 0;
  const source = createNonceSource({
    random: (target) => {
      if (target.length > 32) fills += 1;
    },
    clock: { now: () => nowMs, monotonicMs: () => 0 },
  });
  const nonce = Buffer.alloc(12);
  const fillsAfter = (draws: number): number => {
    for (let i = 0; i < draws; i += 1) source.writeNonce(nonce, PLAINTEXT);
    return fills;
  };
  assert.equal(fillsAfter(256), 1);
  assert.equal(fillsAfter(1), 2);
  nowMs = 1_000;
  assert.equal(fillsAfter(1), 2);
  nowMs = 1_001;
  assert.equal(fillsAfter(1), 3);
  nowMs = 0;
  assert.equal(fillsAfter(1), 4);
});

test('pooled random bytes are never used twice', () => {
  let next = 0;
  const source = (random: (target: Buffer) => void): NonceSource => createNonceSource({ ...broken, random });
  const counting = source((target) => {
    for (let i = 0; i < target.length; i += 4) target.writeUInt32LE(next++, i);
  });
  assert.equal(countRepeats(1_000, [counting]), 0);
  // 32 bytes of secret, then 4 pools of 4096 bytes for 1000 draws of 16 bytes.
  assert.equal(next, 8 + 4 * 1024);
});

test('T-078 salts have 16 bytes, and differ with a broken random source too', () => {
  const source = createNonceSource(broken);
  const salts = Array.from({ length: 1_000 }, () => source.salt());
  assert.ok(salts.every((salt) => salt.length === 16));
  assert.equal(new Set(salts.map((salt) => salt.toString('hex'))).size, 1_000);
});

test('a source shows no secret to a printer', () => {
  const source = createNonceSource({ random: (target) => void target.fill('canary') });
  assert.equal(/canary|63 61 6e/.test(inspect(source, { depth: 9, showHidden: true })), false);
});
