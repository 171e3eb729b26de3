import type { Random } from '../random.ts';
import { mutateJson } from './mutate-json.ts';
import { mutateWire, varint } from './mutate-wire.ts';

const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const CHANGES_MAX = 5;
const RANGE_BYTES_MAX = 64;

/** What mutations are made of. */
export interface Stock {
  readonly corpus: readonly Buffer[];
  readonly words: readonly Buffer[];
  /** Longer inputs are cut. */
  readonly bytesMax: number;
  /** From here on an input is a protobuf message. */
  readonly protobufFrom: number | undefined;
  /** From here on it is a JSON text. */
  readonly jsonFrom: number | undefined;
}

/** Some changes to an input, one after the other. */
export function mutateInput(input: Buffer, stock: Stock, random: Random): Buffer {
  let bytes = input;
  const from = stock.protobufFrom ?? stock.jsonFrom ?? 0;
  const byForm =
    stock.protobufFrom !== undefined ? changeMessage : stock.jsonFrom !== undefined ? changeJson : undefined;
  const changeRest = random.chance(3) || bytes.length <= from ? undefined : byForm;
  for (let count = 1 << random.below(CHANGES_MAX); count > 0; count -= 1) {
    const changed =
      changeRest === undefined
        ? change(bytes, stock, random)
        : Buffer.concat([bytes.subarray(0, from), changeRest(bytes.subarray(from), stock, random)]);
    bytes = changed.subarray(0, stock.bytesMax);
  }
  return bytes;
}

function changeMessage(message: Buffer, stock: Stock, random: Random): Buffer {
  return mutateWire(message, random, (content) => {
    if (random.chance(3) && stock.words.length > 0) return random.pick(stock.words);
    return change(content, stock, random);
  });
}

function changeJson(text: Buffer, { words }: Stock, random: Random): Buffer {
  return mutateJson(text, random, words);
}

function change(bytes: Buffer, { corpus, words }: Stock, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(Math.min(RANGE_BYTES_MAX, bytes.length));
  const until = Math.min(bytes.length, at + length);
  switch (random.below(12)) {
    case 0:
      return overwrite(bytes, at, Buffer.of((bytes[at] ?? 0) ^ (1 << random.below(8))));
    case 1:
      return overwrite(bytes, at, Buffer.of(random.below(256)));
    case 2:
      return overwrite(bytes, at, Buffer.of((bytes[at] ?? 0) + random.below(9) - 4));
    case 3:
      return overwrite(bytes, at, edge(random));
    case 4:
      return replace(bytes, at, until, Buffer.alloc(0));
    case 5:
      return replace(bytes, at, at, random.bytes(1 + random.below(4)));
    case 6:
      return replace(bytes, at, at, edge(random));
    case 7: {
      // Doubled, now and then many times: nesting, and loops that are too long.
      const times = random.chance(8) ? 1 + random.below(64) : 1;
      return replace(bytes, at, at, Buffer.concat(new Array<Buffer>(times).fill(bytes.subarray(at, until))));
    }
    case 8:
    case 9:
      if (words.length === 0) return bytes;
      return replace(bytes, at, random.chance(2) ? at : until, random.pick(words));
    case 10: {
      const other = random.pick(corpus);
      const from = random.below(other.length + 1);
      const piece = other.subarray(from, from + 1 + random.below(RANGE_BYTES_MAX));
      return replace(bytes, at, random.chance(2) ? at : until, piece);
    }
    default: {
      // The head of one, the tail of another.
      const other = random.pick(corpus);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
  }
}

/** A number at the edge of a form, in one of the forms that there are. */
function edge(random: Random): Buffer {
  const value = random.pick(EDGES) + random.below(3) - 1;
  const bytes = Buffer.alloc(8);
  const bits = BigInt.asUintN(64, BigInt(value));
  switch (random.below(4)) {
    case 0:
      return Buffer.from(String(value));
    case 1:
      bytes.writeBigUInt64LE(bits);
      return bytes.subarray(0, 1 << random.below(4));
    case 2:
      bytes.writeBigUInt64BE(bits);
      return bytes.subarray(8 - (1 << random.below(4)));
    default:
      return varint(bits);
  }
}

function overwrite(bytes: Buffer, at: number, value: Uint8Array): Buffer {
  return replace(bytes, at, Math.min(bytes.length, at + value.length), value);
}

function replace(bytes: Buffer, from: number, until: number, value: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), value, bytes.subarray(until)]);
}
