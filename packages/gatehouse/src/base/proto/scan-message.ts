import { isUtf8 } from 'node:buffer';
import { Role } from './role.ts';
import { Kind } from './wire-kinds.ts';
import { type MessageTable, ORDINAL_SHIFT, REPEATED, roleOfCode, type WireTables } from './wire-tables.ts';

/** Why bytes were not accepted. Any input that a decoder could read in two ways is a fault. */
export const Fault = {
  none: 0,
  malformed: 1,
  unknownField: 2,
  duplicateField: 3,
  invalidUtf8: 4,
  tooDeep: 5,
  unknownAnyType: 6,
} as const;

export const faultNames: readonly string[] = [
  'none',
  'malformed bytes',
  'unknown field',
  'a singular field sent twice',
  'invalid UTF-8',
  'nested too deeply',
  'unknown type inside Any',
];

/** Integers per mention: role, start of the tag, of the length, of the content, end, frame. */
const MENTION = 6;
/** Integers per frame: start of the length, of the content, end, parent frame. */
const FRAME = 4;
// Deeper than any message an SDK writes (failure causes are the deepest), far below what ends a stack.
const DEPTH_MAX = 100;
// Above this a native check is cheaper than a loop over bytes.
const NATIVE_UTF8_BYTES = 48;
const MENTIONS_AT_FIRST = MENTION * 64;
const FRAMES_AT_FIRST = FRAME * 64;
/** 1 MiB: what one extreme message needed beyond this is given back at the next one. */
const KEPT_INTEGERS = 2 ** 18;

/**
 * Reads one protobuf message without decoding it: checks its whole form against the tables, and notes where
 * every field with a role lies. Accepts only the canonical forms that protobuf writers produce (shortest
 * varints, no groups, no repeated singular fields), since the engine's decoder merges or overrides where
 * others do not, and a difference is a way around us (T-033, T-034).
 *
 * Results live in the scanner until its next scan: read them before anything asynchronous.
 */
export class MessageScanner {
  bytes: Uint8Array = new Uint8Array(0);
  mentionCount = 0;
  frameCount = 0;
  fault: number = Fault.none;
  /** Type and field number where the fault was found: safe to tell the caller. */
  faultAt = '';
  readonly #tables: WireTables;
  readonly #checkText: boolean;
  #mentions = new Int32Array(MENTIONS_AT_FIRST);
  #frames = new Int32Array(FRAMES_AT_FIRST);
  #pos = 0;

  /** @param options.reply replies skip what has no role, and trust the engine's UTF-8. */
  constructor(tables: WireTables, options: { readonly reply: boolean }) {
    this.#tables = tables;
    this.#checkText = !options.reply;
  }

  /** Scans `bytes[start, end)`. @returns false with `fault` set if the bytes are not acceptable. */
  scan(table: MessageTable, bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
    if (this.#mentions.length > KEPT_INTEGERS) this.#mentions = new Int32Array(MENTIONS_AT_FIRST);
    if (this.#frames.length > KEPT_INTEGERS) this.#frames = new Int32Array(FRAMES_AT_FIRST);
    this.bytes = bytes;
    this.mentionCount = 0;
    this.frameCount = 0;
    this.fault = Fault.none;
    this.faultAt = '';
    this.#pos = start;
    const root = this.#openFrame(start, start, end, -1);
    return this.#walk(table, end, root, 0);
  }

  role(mention: number): number {
    return this.#mentions[mention * MENTION] ?? 0;
  }
  tagStart(mention: number): number {
    return this.#mentions[mention * MENTION + 1] ?? 0;
  }
  lengthStart(mention: number): number {
    return this.#mentions[mention * MENTION + 2] ?? 0;
  }
  contentStart(mention: number): number {
    return this.#mentions[mention * MENTION + 3] ?? 0;
  }
  contentEnd(mention: number): number {
    return this.#mentions[mention * MENTION + 4] ?? 0;
  }
  frameOf(mention: number): number {
    return this.#mentions[mention * MENTION + 5] ?? 0;
  }

  frameLengthStart(frame: number): number {
    return this.#frames[frame * FRAME] ?? 0;
  }
  frameContentStart(frame: number): number {
    return this.#frames[frame * FRAME + 1] ?? 0;
  }
  frameEnd(frame: number): number {
    return this.#frames[frame * FRAME + 2] ?? 0;
  }
  frameParent(frame: number): number {
    return this.#frames[frame * FRAME + 3] ?? -1;
  }

  /** The text of a mention. latin1 would be wrong: names may be UTF-8. */
  text(mention: number): string {
    return Buffer.from(
      this.bytes.buffer,
      this.bytes.byteOffset + this.contentStart(mention),
      this.contentEnd(mention) - this.contentStart(mention),
    ).toString('utf8');
  }

  content(mention: number): Uint8Array {
    return this.bytes.subarray(this.contentStart(mention), this.contentEnd(mention));
  }

  #openFrame(lengthStart: number, contentStart: number, end: number, parent: number): number {
    const frame = this.frameCount;
    if ((frame + 1) * FRAME > this.#frames.length) {
      const larger = new Int32Array(this.#frames.length * 2);
      larger.set(this.#frames);
      this.#frames = larger;
    }
    const at = frame * FRAME;
    this.#frames[at] = lengthStart;
    this.#frames[at + 1] = contentStart;
    this.#frames[at + 2] = end;
    this.#frames[at + 3] = parent;
    this.frameCount = frame + 1;
    return frame;
  }

  #mention(
    role: number,
    tagStart: number,
    lengthStart: number,
    contentStart: number,
    end: number,
    frame: number,
  ): void {
    const at = this.mentionCount * MENTION;
    if (at + MENTION > this.#mentions.length) {
      const larger = new Int32Array(this.#mentions.length * 2);
      larger.set(this.#mentions);
      this.#mentions = larger;
    }
    this.#mentions[at] = role;
    this.#mentions[at + 1] = tagStart;
    this.#mentions[at + 2] = lengthStart;
    this.#mentions[at + 3] = contentStart;
    this.#mentions[at + 4] = end;
    this.#mentions[at + 5] = frame;
    this.mentionCount += 1;
  }

  #fail(fault: number, table: MessageTable, field: number): false {
    this.fault = fault;
    this.faultAt = `${table.name}#${field}`;
    return false;
  }

  /** Reads a varint below 2^31 in its shortest form, or returns -1. Moves the position. */
  #readSmall(end: number): number {
    const bytes = this.bytes;
    let pos = this.#pos;
    if (pos >= end) return -1;
    let byte = bytes[pos++] ?? 0;
    if (byte < 0x80) {
      this.#pos = pos;
      return byte;
    }
    let value = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      if (pos >= end) return -1;
      byte = bytes[pos++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        this.#pos = pos;
        return byte === 0 || value > 0x7fffffff ? -1 : value;
      }
    }
    return -1;
  }

  /** Steps over a varint of up to 64 bits in its shortest form. */
  #skipVarint(end: number): boolean {
    const bytes = this.bytes;
    let pos = this.#pos;
    for (let count = 1; count <= 10; count += 1) {
      if (pos >= end) return false;
      const byte = bytes[pos++] ?? 0;
      if (byte < 0x80) {
        if (byte === 0 && count > 1) return false;
        if (count === 10 && byte > 1) return false;
        this.#pos = pos;
        return true;
      }
    }
    return false;
  }

  #walk(table: MessageTable, end: number, frame: number, depth: number): boolean {
    if (depth > DEPTH_MAX) return this.#fail(Fault.tooDeep, table, 0);
    const codes = table.codes;
    let seenLow = 0;
    let seenHigh = 0;
    while (this.#pos < end) {
      const tagStart = this.#pos;
      const tag = this.#readSmall(end);
      if (tag < 8) return this.#fail(Fault.malformed, table, 0);
      const number = tag >>> 3;
      const code = number < codes.length ? (codes[number] ?? 0) : 0;
      if (code === 0) return this.#fail(Fault.unknownField, table, number);
      if ((code & REPEATED) === 0) {
        const ordinal = (code >> ORDINAL_SHIFT) & 63;
        if (ordinal < 31) {
          const bit = 1 << ordinal;
          if ((seenLow & bit) !== 0) return this.#fail(Fault.duplicateField, table, number);
          seenLow |= bit;
        } else {
          const bit = 1 << (ordinal - 31);
          if ((seenHigh & bit) !== 0) return this.#fail(Fault.duplicateField, table, number);
          seenHigh |= bit;
        }
      }
      if (!this.#field(table, number, code, tag & 7, tagStart, end, frame, depth)) {
        if (this.fault === Fault.none) return this.#fail(Fault.malformed, table, number);
        return false;
      }
    }
    return this.#pos === end || this.#fail(Fault.malformed, table, 0);
  }

  #field(
    table: MessageTable,
    number: number,
    code: number,
    wireType: number,
    tagStart: number,
    end: number,
    frame: number,
    depth: number,
  ): boolean {
    const kind = code & 15;
    const role = roleOfCode(code);
    if (wireType === 2) {
      const lengthStart = this.#pos;
      const length = this.#readSmall(end);
      const start = this.#pos;
      const valueEnd = start + length;
      if (length < 0 || valueEnd > end) return false;
      if (role !== Role.none) this.#mention(role, tagStart, lengthStart, start, valueEnd, frame);
      return this.#lengthDelimited(table, number, kind, code, lengthStart, start, valueEnd, frame, depth);
    }
    if (!this.#scalar(kind, wireType, end)) return false;
    if (role !== Role.none) this.#mention(role, tagStart, this.#pos, this.#pos, this.#pos, frame);
    return true;
  }

  #scalar(kind: number, wireType: number, end: number): boolean {
    if (kind === Kind.varint) return wireType === 0 && this.#skipVarint(end);
    const width =
      kind === Kind.fixed64 && wireType === 1 ? 8 : kind === Kind.fixed32 && wireType === 5 ? 4 : 0;
    if (width === 0 || this.#pos + width > end) return false;
    this.#pos += width;
    return true;
  }

  #lengthDelimited(
    table: MessageTable,
    number: number,
    kind: number,
    code: number,
    lengthStart: number,
    start: number,
    end: number,
    frame: number,
    depth: number,
  ): boolean {
    switch (kind) {
      case Kind.string:
        if (this.#checkText && !isValidText(this.bytes, start, end))
          return this.#fail(Fault.invalidUtf8, table, number);
        this.#pos = end;
        return true;
      case Kind.bytes:
        this.#pos = end;
        return true;
      case Kind.message: {
        const child = table.children[number];
        if (child === undefined) return false;
        if (!this.#checkText && !child.interesting) {
          this.#pos = end;
          return true;
        }
        return this.#walk(child, end, this.#openFrame(lengthStart, start, end, frame), depth + 1);
      }
      case Kind.any:
        return this.#any(table, number, this.#openFrame(lengthStart, start, end, frame), end, depth);
      default:
        return (code & REPEATED) !== 0 && this.#packed(kind, start, end);
    }
  }

  #packed(kind: number, start: number, end: number): boolean {
    if (kind === Kind.varint) {
      while (this.#pos < end) if (!this.#skipVarint(end)) return false;
      return true;
    }
    const width = kind === Kind.fixed64 ? 8 : 4;
    this.#pos = end;
    return (end - start) % width === 0;
  }

  /** An Any in the one order that writers use: type_url (1), then value (2). */
  #any(table: MessageTable, number: number, frame: number, end: number, depth: number): boolean {
    if (this.#pos === end) return true;
    if (this.#readSmall(end) !== 0x0a) return false;
    const urlLength = this.#readSmall(end);
    const urlStart = this.#pos;
    const urlEnd = urlStart + urlLength;
    if (urlLength < 0 || urlEnd > end) return false;
    // Only what follows the last slash is looked up, but the engine's decoder refuses the whole text (T-035).
    if (this.#checkText && !isValidText(this.bytes, urlStart, urlEnd))
      return this.#fail(Fault.invalidUtf8, table, number);
    const url = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + urlStart, urlLength).toString(
      'latin1',
    );
    const child = this.#tables.any.get(url.slice(url.lastIndexOf('/') + 1));
    if (child === undefined) return this.#fail(Fault.unknownAnyType, table, number);
    this.#pos = urlEnd;
    if (urlEnd === end) return true;
    if (this.#readSmall(end) !== 0x12) return false;
    const lengthStart = this.#pos;
    const length = this.#readSmall(end);
    const start = this.#pos;
    if (length < 0 || start + length !== end) return false;
    return this.#walk(child, end, this.#openFrame(lengthStart, start, end, frame), depth + 1);
  }
}

function isValidText(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > NATIVE_UTF8_BYTES) return isUtf8(bytes.subarray(start, end));
  for (let pos = start; pos < end; pos += 1) {
    if ((bytes[pos] ?? 0) >= 0x80) return isUtf8(bytes.subarray(start, end));
  }
  return true;
}
