// No test itself: what a stranger may send in the place of HTTP/2, made of a fuzzer's input.

import { ByteSource } from '#testing/fuzz/byte-source';
import {
  dataFrame,
  FrameFlag,
  FrameType,
  goawayFrame,
  headerBlock,
  headerFrames,
  PREFACE,
  pingFrame,
  rawFrame,
  resetFrame,
  SETTINGS_ACK,
  settingsFrame,
  windowFrame,
} from './frames-fixture.test.ts';

/** First byte of an input: what the rest is. Otherwise it is bytes, after the beginning that a peer owes. */
const WITHOUT_BEGINNING = 1;
const AS_FRAMES = 2;

export interface HostileBytes {
  readonly whole: Buffer;
  /** The same, as it may arrive. */
  readonly pieces: readonly Buffer[];
  /** The first byte, for whoever has more to choose. */
  readonly mode: number;
}

/** @param beginning what the other side begins with: its preface, its settings. */
export function hostileBytes(input: Buffer, beginning: Buffer): HostileBytes {
  const source = new ByteSource(input);
  const mode = source.byte();
  const step = 1 + source.byte();
  const body = (mode & AS_FRAMES) === 0 ? source.rest() : framesOf(source.rest());
  const whole = (mode & WITHOUT_BEGINNING) === 0 ? Buffer.concat([beginning, body]) : body;
  const pieces: Buffer[] = [];
  // Steps that grow, so that small and large ones occur, and not always at the same place of a frame.
  for (let at = 0, size = step; at < whole.length; at += size, size = 1 + ((size * 7 + 3) % 997)) {
    pieces.push(whole.subarray(at, at + size));
  }
  return { whole, pieces, mode };
}

/** Type, flags, stream and payload in turn, each frame of the length that it says: bytes alone seldom are. */
function framesOf(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const source = new ByteSource(bytes.subarray(at, at + 4));
    const [type, flags, stream, length] = [source.byte() % 12, source.byte(), source.byte(), source.byte()];
    at += 4;
    frames.push(rawFrame(type, flags, stream, bytes.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(frames);
}

const REQUEST = [':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', '/it', 'te', 'trailers'];
const ANSWER = [':status', '200', 'content-type', 'application/grpc', 'x', 'y'.repeat(30)];
const END = FrameFlag.END_STREAM;
const WHOLE = FrameFlag.END_HEADERS;

/** One of each kind, well formed and nearly so. @param fields of a request or an answer. */
function examples(fields: readonly string[]): readonly Buffer[] {
  const block = headerBlock(fields);
  const [first, second] = [block.subarray(0, 20), block.subarray(20)];
  const priority = Buffer.from('8000000110', 'hex');
  return [
    headerFrames(1, fields),
    headerFrames(3, fields, false),
    Buffer.concat([
      rawFrame(FrameType.HEADERS, END, 5, first),
      rawFrame(FrameType.CONTINUATION, WHOLE, 5, second),
    ]),
    rawFrame(FrameType.HEADERS, WHOLE + FrameFlag.PADDED, 1, padded(block, 7)),
    rawFrame(FrameType.HEADERS, WHOLE + FrameFlag.PRIORITY, 1, Buffer.concat([priority, block])),
    Buffer.concat([headerFrames(1, fields, false), headerFrames(1, ['x', 'trailer'])]),
    // Out of the static table, into the dynamic one, out of it, and a new size for it.
    rawFrame(FrameType.HEADERS, WHOLE, 1, Buffer.from('3fe11f828486410178400178017abebe', 'hex')),
    ...[10, 40].map((times) => rawFrame(FrameType.HEADERS, WHOLE + END, 7, repeated(block, times))),
    dataFrame(3, Buffer.from('body'), false),
    dataFrame(3, Buffer.from('end')),
    rawFrame(FrameType.DATA, FrameFlag.PADDED, 1, padded(Buffer.from('padded'), 9)),
    settingsFrame([1, 0], [2, 0], [3, 5], [4, 0], [5, 16_777_215], [6, 100], [8, 1]),
    SETTINGS_ACK,
    rawFrame(FrameType.PRIORITY, 0, 3, priority),
    resetFrame(1, 8),
    pingFrame('ping'),
    pingFrame('pong', true),
    goawayFrame(0, 0),
    goawayFrame(2 ** 31 - 1, 2),
    windowFrame(0, 100_000),
    windowFrame(1, 2 ** 31 - 1),
    rawFrame(FrameType.PUSH_PROMISE, WHOLE, 1, Buffer.concat([Buffer.of(0, 0, 0, 2), block])),
    rawFrame(0x10, 0, 0, Buffer.from('\0\0\0\x01u=1')),
    rawFrame(0xee, 0xff, 7, Buffer.from('unknown')),
  ];
}

/** A block with a field of 2 KiB that is put into the table, and then referred to. */
function repeated(block: Buffer, times: number): Buffer {
  const [, ...indexed] = headerBlock(['x', 'v'.repeat(2000)]);
  return Buffer.concat([block, Buffer.of(0x40, ...indexed), Buffer.alloc(times, 0x80 + 62)]);
}

function padded(payload: Buffer, padding: number): Buffer {
  return Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
}

/** Inputs to begin with. @param from who sends them. */
export function* hostileSeeds(from: 'client' | 'server'): Generator<Buffer> {
  const all = examples(from === 'client' ? REQUEST : ANSWER);
  const headOf = (mode: number): Buffer => Buffer.of(mode, 11);
  for (const frame of all) {
    yield Buffer.concat([headOf(0), frame]);
    yield Buffer.concat([headOf(0), ...all.slice(0, 2), frame]);
    yield Buffer.concat([headOf(AS_FRAMES), asPieces(frame)]);
  }
  yield Buffer.concat([headOf(0), ...all]);
  yield Buffer.concat([headOf(WITHOUT_BEGINNING), PREFACE, ...all]);
  yield Buffer.concat([headOf(WITHOUT_BEGINNING), Buffer.from('GET / HTTP/1.1\r\n\r\n')]);
}

/** A frame as {@link framesOf} reads it. */
function asPieces(frame: Buffer): Buffer {
  const [type, flags, stream, length] = [frame[3] ?? 0, frame[4] ?? 0, frame[8] ?? 0, frame[2] ?? 0];
  return Buffer.concat([Buffer.of(type, flags, stream, length), frame.subarray(9, 9 + length)]);
}

export const hostileWords: readonly (string | Uint8Array)[] = [
  PREFACE,
  SETTINGS_ACK,
  settingsFrame(),
  headerBlock(REQUEST),
  headerBlock(ANSWER),
  ...['content-length', 'cookie', 'connection', 'te', 'CONNECT', ':protocol', 'host', '\r\n', '\0'].map(
    (word) => headerBlock([word, word]),
  ),
  // Fields of the static table: :method POST, :scheme https, :path /, :status 200.
  Buffer.of(0x83, 0x87, 0x84, 0x88),
];
