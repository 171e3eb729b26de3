import type { Random } from './random.ts';

const INTERESTING = [0x00, 0x01, 0x07, 0x0a, 0x0b, 0x0c, 0x12, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/** Changes bytes without a thought for what they mean. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + 1 + random.below(8));
  switch (random.below(6)) {
    case 0: {
      const flipped = bytes.slice();
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return bytes.slice(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(until)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(4)), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, until), bytes.subarray(at)]);
    default: {
      const replaced = bytes.slice();
      if (at < replaced.length) replaced[at] = random.pick(INTERESTING);
      return replaced;
    }
  }
}
