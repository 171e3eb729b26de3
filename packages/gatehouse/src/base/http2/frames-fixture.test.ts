// No test itself: HTTP/2 as bytes, well or badly formed, and a peer that speaks in them.

import type { TLSSocket } from 'node:tls';
import { until } from './waiting-fixture.test.ts';

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEAD_BYTES = 9;
/** Of one frame, unless a peer allows more. */
export const PAYLOAD_BYTES_MAX = 16_384;

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FrameFlag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

/** As it stands on the wire. */
export function rawFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function settingsFrame(...settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [at, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  }
  return rawFrame(FrameType.SETTINGS, 0, 0, payload);
}

export const SETTINGS_ACK: Buffer = rawFrame(FrameType.SETTINGS, FrameFlag.ACK, 0, Buffer.alloc(0));

/** Names and values in turn, each as a literal that no table keeps. */
export function headerBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    parts.push(Buffer.of(0), text(fields[at] ?? ''), text(fields[at + 1] ?? ''));
  }
  return Buffer.concat(parts);
}

/** RFC 7541 section 5.2, without Huffman's code. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push(128 + (rest % 128));
  return Buffer.concat([Buffer.of(...length, rest), bytes]);
}

/** HEADERS, and as many CONTINUATION as it takes. */
export function headerFrames(stream: number, fields: readonly string[], ends = true): Buffer {
  const block = headerBlock(fields);
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += PAYLOAD_BYTES_MAX) {
    const isLast = at + PAYLOAD_BYTES_MAX >= block.length;
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = (at === 0 && ends ? FrameFlag.END_STREAM : 0) + (isLast ? FrameFlag.END_HEADERS : 0);
    frames.push(rawFrame(type, flags, stream, block.subarray(at, at + PAYLOAD_BYTES_MAX)));
  }
  return Buffer.concat(frames);
}

export function dataFrame(stream: number, data: Uint8Array, ends = true): Buffer {
  return rawFrame(FrameType.DATA, ends ? FrameFlag.END_STREAM : 0, stream, data);
}

function numberFrame(type: number, stream: number, ...values: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) payload.writeUInt32BE(value, 4 * at);
  return rawFrame(type, 0, stream, payload);
}

export function resetFrame(stream: number, code: number): Buffer {
  return numberFrame(FrameType.RST_STREAM, stream, code);
}

export function windowFrame(stream: number, increment: number): Buffer {
  return numberFrame(FrameType.WINDOW_UPDATE, stream, increment);
}

export function goawayFrame(lastStream: number, code: number): Buffer {
  return numberFrame(FrameType.GOAWAY, 0, lastStream, code);
}

export function pingFrame(text: string, isAnswer = false): Buffer {
  return rawFrame(FrameType.PING, isAnswer ? FrameFlag.ACK : 0, 0, Buffer.from(text.padEnd(8).slice(0, 8)));
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** @returns the whole frames, and how many bytes they are. */
export function parseFrames(bytes: Buffer): {
  readonly frames: readonly SeenFrame[];
  readonly length: number;
} {
  const frames: SeenFrame[] = [];
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return { frames, length: at };
}

/** Speaks in frames on a connection whose TLS is done; once it has spoken, it acknowledges settings of its own accord. */
export class FramePeer {
  readonly frames: SeenFrame[] = [];
  hasEnded = false;
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #skipped: number;
  #hasSpoken = false;

  /** @param skipped bytes that come before the first frame: a client's preface. */
  constructor(socket: TLSSocket, skipped = 0) {
    this.#socket = socket;
    this.#skipped = skipped;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => {
      this.hasEnded = true;
    });
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.#hasSpoken = true;
    this.#socket.write(Buffer.concat(bytes));
  }

  of(type: number, stream: number): readonly SeenFrame[] {
    return this.frames.filter((frame) => frame.type === type && frame.stream === stream);
  }

  /** Code of the first RST_STREAM of a stream that came. */
  resetOf(stream: number): number | undefined {
    return this.of(FrameType.RST_STREAM, stream)[0]?.payload.readUInt32BE(0);
  }

  /** Last stream and code of each GOAWAY that came. */
  get goaways(): readonly (readonly [lastStream: number, code: number])[] {
    return this.of(FrameType.GOAWAY, 0).map(({ payload }) => [
      payload.readUInt32BE(0),
      payload.readUInt32BE(4),
    ]);
  }

  /** After it everything that was sent before has been read, and answered as far as it is at once. */
  async roundTrip(): Promise<void> {
    const answers = (): number =>
      this.of(FrameType.PING, 0).filter(({ flags }) => (flags & FrameFlag.ACK) !== 0).length;
    const before = answers();
    this.send(pingFrame('there'));
    await until(() => answers() > before, 'the answer to a ping');
  }

  #read(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    if (this.#skipped > bytes.length) {
      this.#rest = bytes;
      return;
    }
    const { frames, length } = parseFrames(bytes.subarray(this.#skipped));
    this.frames.push(...frames);
    for (const { type, flags } of frames) {
      if (this.#hasSpoken && type === FrameType.SETTINGS && flags === 0) this.send(SETTINGS_ACK);
    }
    this.#rest = bytes.subarray(this.#skipped + length);
    this.#skipped = 0;
  }
}
