import type { Random } from '../random.ts';

/** A length-delimited field as it lies, and the field whose content it is part of. */
interface Span {
  readonly tag: number;
  readonly length: number;
  readonly start: number;
  readonly end: number;
  readonly parent: Span | undefined;
}

const DEPTH_MAX = 12;
const SPANS_MAX = 2000;
const NOTHING = Buffer.alloc(0);

/**
 * Changes one field of a protobuf message, whatever its schema, and sets right all lengths around it: what a change
 * of bytes does once in a hundred times.
 * @param content makes another content of a field's.
 */
export function mutateWire(bytes: Buffer, random: Random, content: (before: Buffer) => Buffer): Buffer {
  const spans = spansOf(bytes);
  if (spans.length === 0) return bytes;
  const span = random.pick(spans);
  const field = bytes.subarray(span.tag, span.end);
  const other = random.pick(spans);
  const otherField = bytes.subarray(other.tag, other.end);
  switch (random.below(6)) {
    case 0:
      return around(bytes, span, NOTHING);
    case 1:
      return around(bytes, span, Buffer.concat([field, field]));
    case 2:
      return around(bytes, span, Buffer.concat([otherField, field]));
    case 3:
      return around(bytes, span, withContent(bytes, span, bytes.subarray(other.start, other.end)));
    default:
      return around(bytes, span, withContent(bytes, span, content(bytes.subarray(span.start, span.end))));
  }
}

/** All that could be length-delimited fields: what parses as a message is taken for one as well. */
function spansOf(bytes: Buffer): Span[] {
  const spans: Span[] = [];
  const visit = (start: number, end: number, parent: Span | undefined, depth: number): void => {
    const found: Span[] = [];
    for (let at = start; at < end; ) {
      const tag = varintAt(bytes, at);
      const value = varintAt(bytes, tag.next);
      const type = tag.value % 8;
      const next = type === 0 ? value.next : type === 1 ? tag.next + 8 : type === 5 ? tag.next + 4 : 0;
      const fieldEnd = type === 2 ? value.next + value.value : next;
      if (tag.value < 8 || fieldEnd <= at || fieldEnd > end || found.length > SPANS_MAX) return;
      if (type === 2) found.push({ tag: at, length: tag.next, start: value.next, end: fieldEnd, parent });
      at = fieldEnd;
    }
    for (const span of found) {
      if (spans.length >= SPANS_MAX) return;
      spans.push(span);
      if (depth < DEPTH_MAX) visit(span.start, span.end, span, depth + 1);
    }
  };
  visit(0, bytes.length, undefined, 0);
  return spans;
}

function withContent(bytes: Buffer, { tag, length }: Span, content: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(tag, length), varint(BigInt(content.length)), content]);
}

/** Puts something in the place of a field, and all lengths of what holds it right. */
function around(bytes: Buffer, { tag, end, parent }: Span, field: Buffer): Buffer {
  const from = parent?.start ?? 0;
  const until = parent?.end ?? bytes.length;
  const whole = Buffer.concat([bytes.subarray(from, tag), field, bytes.subarray(end, until)]);
  return parent === undefined ? whole : around(bytes, parent, withContent(bytes, parent, whole));
}

function varintAt(bytes: Buffer, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = start, scale = 1; ; at += 1, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80 || scale > 2 ** 35) return { value, next: at + 1 };
  }
}

/**
 * Not one of the product's: what the driver itself loads of the product is there before it can be counted.
 * @param value not negative.
 */
export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
