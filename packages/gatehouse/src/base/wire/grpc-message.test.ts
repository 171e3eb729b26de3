import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Refusal } from '#base/model/refusals';
import { checkSingleFrame, frameLength, gunzipFrame, PREFIX_BYTES, toFrame } from './grpc-message.ts';

const code =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof Refusal && error.code === expected;

const malformed = code('frame_malformed');
const LIMIT = 64 * 1024;

/** The frame of a compressed message. */
function compressed(...parts: Uint8Array[]): Buffer {
  const frame = toFrame(Buffer.concat(parts));
  frame[0] = 1;
  return frame;
}

const inflate = async (...parts: Uint8Array[]): Promise<Buffer> =>
  await gunzipFrame(compressed(...parts), LIMIT);

test('T-031 a whole frame passes, and says whether it is compressed', () => {
  assert.equal(checkSingleFrame(toFrame(Buffer.from('abc'))), false);
  assert.equal(checkSingleFrame(toFrame(Buffer.alloc(0))), false);
  assert.equal(checkSingleFrame(compressed(Buffer.from('abc'))), true);
});

test('T-031 a frame that is cut short, at any byte, is refused', () => {
  const frame = toFrame(Buffer.from('abcdef'));
  for (let length = 0; length < frame.length; length += 1) {
    assert.throws(() => checkSingleFrame(frame.subarray(0, length)), malformed, `${length} bytes`);
  }
});

test('T-031 two messages on a unary call, and bytes after the one, are refused', () => {
  const frame = toFrame(Buffer.from('abc'));
  assert.throws(() => checkSingleFrame(Buffer.concat([frame, frame])), malformed);
  assert.throws(() => checkSingleFrame(Buffer.concat([frame, Buffer.of(0)])), malformed);
  assert.throws(() => checkSingleFrame(Buffer.concat([frame, toFrame(Buffer.alloc(0))])), malformed);
});

test('T-031 a length of up to 4 GiB is read as what it is, not as a negative number', () => {
  assert.equal(frameLength(Buffer.of(0, 0xff, 0xff, 0xff, 0xff)), 0xffffffff);
  assert.equal(frameLength(Buffer.of(0, 0x80, 0, 0, 0)), 0x80000000);
  assert.equal(frameLength(Buffer.of(0, 0x01, 0x02, 0x03, 0x04)), 0x01020304);
  assert.throws(() => checkSingleFrame(Buffer.of(0, 0xff, 0xff, 0xff, 0xff, 1)), malformed);
});

test('T-032 a flag other than 0 and 1 is refused', () => {
  for (let flag = 2; flag < 256; flag += 1) {
    assert.throws(() => checkSingleFrame(Buffer.of(flag, 0, 0, 0, 0)), malformed);
  }
});

test('every message comes back from its frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000 }), (message) => {
      const frame = toFrame(message);
      assert.equal(checkSingleFrame(frame), false);
      assert.equal(frameLength(frame), message.length);
      assert.deepEqual(frame.subarray(PREFIX_BYTES), Buffer.from(message));
    }),
    { numRuns: 30 },
  );
});

test('every message comes back from gzip, at every level of compression', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.nat({ max: 9 }), async (message, level) => {
      assert.deepEqual(await inflate(gzipSync(message, { level })), toFrame(message));
    }),
    { numRuns: 50 },
  );
});

test('T-032 a bomb is refused at the limit, and what is exactly at the limit passes', async () => {
  const exactly = Buffer.alloc(LIMIT, 7);
  assert.deepEqual(await inflate(gzipSync(exactly)), toFrame(exactly));
  await assert.rejects(inflate(gzipSync(Buffer.alloc(LIMIT + 1))), code('message_too_large'));
  await assert.rejects(inflate(gzipSync(Buffer.alloc(100 * 1024 * 1024))), code('message_too_large'));
});

test('T-032 decompression stops at the limit: what follows in a bomb is not even read', async () => {
  // The end of the bomb is broken. Reading on to it would find that instead.
  const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024));
  bomb.fill(0xff, bomb.length - 2000);
  await assert.rejects(inflate(bomb), code('message_too_large'));
});

test('T-032 more than one gzip member is refused, an empty one as well', async () => {
  const full = gzipSync('abc');
  const empty = gzipSync('');
  for (const members of [
    [full, full],
    [full, empty],
    [empty, full],
    [empty, empty],
    [full, gzipSync('')],
    [full, full, full],
  ]) {
    await assert.rejects(inflate(...members), malformed);
  }
});

test('T-032 bytes before or after the gzip member are refused', async () => {
  for (const extra of [Buffer.of(0), Buffer.of(0x1f), Buffer.of(0x1f, 0x8b), Buffer.alloc(100)]) {
    await assert.rejects(inflate(gzipSync('abc'), extra), malformed);
    await assert.rejects(inflate(extra, gzipSync('abc')), malformed);
  }
});

test('T-032 a gzip member that is cut short, at any byte, is refused', async () => {
  const whole = gzipSync('a message of some length, a message of some length');
  for (let length = 0; length < whole.length; length += 1) {
    await assert.rejects(inflate(whole.subarray(0, length)), malformed, `${length} bytes`);
  }
});

test('T-032 a gzip member with a wrong checksum or a wrong size is refused', async () => {
  const whole = gzipSync('abcabcabc');
  for (let at = whole.length - 8; at < whole.length; at += 1) {
    const wrong = Buffer.from(whole);
    wrong[at] = (wrong[at] ?? 0) ^ 0x40;
    await assert.rejects(inflate(wrong), malformed, `byte ${at}`);
  }
});

test('T-032 what is not gzip is refused: plain bytes, zlib, another method, reserved flags', async () => {
  await assert.rejects(inflate(Buffer.from('plain text that is long enough')), malformed);
  await assert.rejects(inflate(Buffer.from('789c4b4c4a0600024d0127', 'hex')), malformed);
  const other = (at: number, value: number): Buffer => {
    const whole = gzipSync('abc');
    whole[at] = value;
    return whole;
  };
  await assert.rejects(inflate(other(2, 7)), malformed);
  await assert.rejects(inflate(other(3, 0x20)), malformed);
  await assert.rejects(inflate(other(3, 0x80)), malformed);
});

test('the optional fields of a gzip header are stepped over', async () => {
  const plain = gzipSync('abc');
  const withFields = (flags: number, ...fields: Buffer[]): Buffer => {
    const head = Buffer.from(plain.subarray(0, 10));
    head[3] = flags;
    return Buffer.concat([head, ...fields, plain.subarray(10)]);
  };
  const extra = Buffer.from('0300414243', 'hex');
  const name = Buffer.from('name\0');
  const comment = Buffer.from('comment\0');
  const expected = toFrame(Buffer.from('abc'));
  assert.deepEqual(await inflate(withFields(0x01)), expected);
  assert.deepEqual(await inflate(withFields(0x04, extra)), expected);
  assert.deepEqual(await inflate(withFields(0x1d, extra, name, comment)), expected);
  await assert.rejects(inflate(withFields(0x08, Buffer.from('no end'))), malformed);
  await assert.rejects(inflate(withFields(0x04, Buffer.from('ffff', 'hex'))), malformed);
});
