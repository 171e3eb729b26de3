import type { Frame } from '#base/model/frame';
import { PIECE_BYTES_MIN, PieceWriter } from './piece-writer.ts';
import type { MessageScanner } from './scan-message.ts';

/** Bytes before a gRPC message: a flag and a length (gRPC over HTTP/2, Length-Prefixed-Message). */
export const GRPC_PREFIX_BYTES = 5;

/** A value that is made where it is needed, so that a large one is not copied once more. */
export interface LateValue {
  readonly length: number;
  /** Writes `length` bytes, and returns the position after them. */
  write(target: Buffer, position: number): number;
  /** The same bytes in the pieces that they were made in. */
  pieces(): readonly Buffer[];
}

type Value = Uint8Array | LateValue;

/** Replaces `[start, end)` of the scanned bytes, inside `frame`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly frame: number;
  /** What is written first: the tag of a field that was not there. */
  readonly tag: readonly number[];
  /** What is written then; undefined where nothing is. */
  readonly value: Value | undefined;
  /** The value's own length goes before it. */
  readonly delimited: boolean;
}

const NO_TAG: readonly number[] = [];

/** Size of a length as a varint. */
export function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Writes a varint and returns the position after it. */
export function writeVarint(target: Uint8Array, position: number, value: number): number {
  let pos = position;
  let rest = value;
  while (rest >= 0x80) {
    target[pos++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[pos++] = rest;
  return pos;
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintBytes(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/** Cuts a mention out whole, with its tag. */
export function cutMention(scanner: MessageScanner, mention: number): Edit {
  return {
    start: scanner.tagStart(mention),
    end: scanner.contentEnd(mention),
    frame: scanner.frameOf(mention),
    tag: NO_TAG,
    value: undefined,
    delimited: false,
  };
}

/** Gives a length-delimited mention another value. */
export function replaceMention(scanner: MessageScanner, mention: number, value: Value): Edit {
  return {
    start: scanner.lengthStart(mention),
    end: scanner.contentEnd(mention),
    frame: scanner.frameOf(mention),
    tag: NO_TAG,
    value,
    delimited: true,
  };
}

/** Puts a length-delimited field at the start of the message. */
export function insertField(scanner: MessageScanner, tag: readonly number[], value: Value): Edit {
  return insertText(scanner, 0, tag, value);
}

/** Puts a length-delimited field at the start of a nested message. */
export function insertText(
  scanner: MessageScanner,
  frame: number,
  tag: readonly number[],
  value: Value,
): Edit {
  return insertAt(scanner.frameContentStart(frame), frame, tag, value);
}

/** Puts a length-delimited field at the end of a nested message. */
export function insertLast(
  scanner: MessageScanner,
  frame: number,
  tag: readonly number[],
  value: Value,
): Edit {
  return insertAt(scanner.frameEnd(frame), frame, tag, value);
}

/** Puts a length-delimited field behind a mention, into the same message. */
export function insertAfter(
  scanner: MessageScanner,
  mention: number,
  tag: readonly number[],
  value: Value,
): Edit {
  return insertAt(scanner.contentEnd(mention), scanner.frameOf(mention), tag, value);
}

function insertAt(start: number, frame: number, tag: readonly number[], value: Value): Edit {
  return { start, end: start, frame, tag, value, delimited: true };
}

/** How many bytes an edit writes. */
function writtenBytes({ tag, value, delimited }: Edit): number {
  if (value === undefined) return tag.length;
  return tag.length + (delimited ? varintBytes(value.length) : 0) + value.length;
}

/** Writes what an edit writes and returns the position after it. */
function writeEdit(target: Buffer, position: number, { tag, value, delimited }: Edit): number {
  let pos = position;
  for (const byte of tag) target[pos++] = byte;
  if (value === undefined) return pos;
  if (delimited) pos = writeVarint(target, pos, value.length);
  if (!(value instanceof Uint8Array)) return value.write(target, pos);
  target.set(value, pos);
  return pos + value.length;
}

/** As {@link writeEdit}, for what may be large. */
function addEdit(writer: PieceWriter, edit: Edit): void {
  const { value } = edit;
  if (value === undefined || value.length < PIECE_BYTES_MIN) {
    const { target, position } = writer.take(writtenBytes(edit));
    writeEdit(target, position, edit);
    return;
  }
  const { target, position } = writer.take(writtenBytes(edit) - value.length);
  const { tag } = edit;
  target.set(tag, position);
  if (edit.delimited) writeVarint(target, position + tag.length, value.length);
  if (value instanceof Uint8Array) writer.add(value);
  else for (const piece of value.pieces()) writer.add(piece);
}

/** The edits that the lengths of all enclosing messages need, after `edits`. */
function lengthEdits(scanner: MessageScanner, edits: readonly Edit[]): Edit[] {
  const deltas = new Int32Array(scanner.frameCount);
  for (const edit of edits) {
    deltas[edit.frame] = (deltas[edit.frame] ?? 0) + writtenBytes(edit) - (edit.end - edit.start);
  }
  const lengths: Edit[] = [];
  // A frame's parent has a smaller number, so going downwards settles children first.
  for (let frame = scanner.frameCount - 1; frame > 0; frame -= 1) {
    const delta = deltas[frame] ?? 0;
    if (delta === 0) continue;
    const start = scanner.frameLengthStart(frame);
    const contentStart = scanner.frameContentStart(frame);
    const value = varint(scanner.frameEnd(frame) - contentStart + delta);
    const parent = scanner.frameParent(frame);
    deltas[parent] = (deltas[parent] ?? 0) + delta + value.length - (contentStart - start);
    lengths.push({ start, end: contentStart, frame: parent, tag: NO_TAG, value, delimited: false });
  }
  return lengths;
}

/**
 * Writes the scanned message with its edits as one uncompressed gRPC frame. All other bytes are copied as
 * they are, so what we do not know about a field is never lost.
 */
export function spliceFrame(scanner: MessageScanner, edits: readonly Edit[]): Buffer {
  const all = allEdits(scanner, edits);
  return writeWhole(scanner, all, sizeAfter(scanner, all));
}

/** As {@link spliceFrame}; in pieces where it may hold something large, which is then not copied. */
export function splicePieces(scanner: MessageScanner, edits: readonly Edit[]): Frame {
  const all = allEdits(scanner, edits);
  const size = sizeAfter(scanner, all);
  return size < PIECE_BYTES_MIN ? writeWhole(scanner, all, size) : writePieces(scanner, all, size);
}

/** In the order of the message, with those of the lengths. */
function allEdits(scanner: MessageScanner, edits: readonly Edit[]): Edit[] {
  return [...edits, ...lengthEdits(scanner, edits)].sort((a, b) => a.start - b.start || a.end - b.end);
}

function sizeAfter(scanner: MessageScanner, all: readonly Edit[]): number {
  let size = scanner.frameEnd(0) - scanner.frameContentStart(0);
  for (const edit of all) size += writtenBytes(edit) - (edit.end - edit.start);
  return size;
}

function writePieces(scanner: MessageScanner, all: readonly Edit[], size: number): readonly Buffer[] {
  const writer = new PieceWriter();
  const { target, position } = writer.take(GRPC_PREFIX_BYTES);
  target[position] = 0;
  target.writeUInt32BE(size, position + 1);
  let read = scanner.frameContentStart(0);
  for (const edit of all) {
    writer.add(scanner.bytes.subarray(read, edit.start));
    addEdit(writer, edit);
    read = edit.end;
  }
  writer.add(scanner.bytes.subarray(read, scanner.frameEnd(0)));
  return writer.end();
}

function writeWhole(scanner: MessageScanner, all: readonly Edit[], size: number): Buffer {
  const from = scanner.frameContentStart(0);
  const to = scanner.frameEnd(0);
  const frame = Buffer.allocUnsafe(GRPC_PREFIX_BYTES + size);
  frame[0] = 0;
  frame.writeUInt32BE(size, 1);
  let read = from;
  let write = GRPC_PREFIX_BYTES;
  for (const edit of all) {
    frame.set(scanner.bytes.subarray(read, edit.start), write);
    write += edit.start - read;
    write = writeEdit(frame, write, edit);
    read = edit.end;
  }
  frame.set(scanner.bytes.subarray(read, to), write);
  return frame;
}
