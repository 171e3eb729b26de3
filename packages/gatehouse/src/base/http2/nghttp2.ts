import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import type { HeaderFields } from './header-fields.ts';
import { type HeaderBlock, NativeMemory } from './native-memory.ts';

/**
 * What nghttp2 tells of one connection while it reads from it or writes to it. Streams are given by their ids.
 * Meanwhile nothing of it may be called but what submits, and nothing may throw: a fault goes to `failed`.
 */
export interface NativeEvents {
  /** Headers or trailers, whole. */
  headers(stream: number, fields: HeaderFields): void;
  /** @returns how many of the bytes are consumed at once: the peer may send as many more. */
  data(stream: number, chunk: Buffer): number;
  /** The peer's side of a stream is over. */
  end(stream: number): void;
  /** Our side of it has been handed out. */
  finished(stream: number): void;
  closed(stream: number, code: number): void;
  goaway(code: number): void;
  goawaySent(code: number): void;
  /** A frame broke the protocol, or was DATA with nothing in it. @param type RFC 9113 section 6. */
  useless(type: number): void;
  pong(): void;
  /**
   * Writes of a stream's body to `out[at, at + room)`.
   * @returns the length, {@link BODY_ENDS} added at its end, and {@link TRAILERS_FOLLOW}; or {@link BODY_WAITS}.
   */
  body(stream: number, out: Buffer, at: number, room: number): number;
  failed(error: unknown): void;
}

/** Added to the length of the last piece of a body. */
export const BODY_ENDS: number = 2 ** 30;
/** Added besides where `trailers` has been called. */
export const TRAILERS_FOLLOW: number = 2 ** 29;
/** There is nothing yet; `resume` tells when there is. */
export const BODY_WAITS = -1;

export interface NativeLimits {
  /** Streams that the peer may open; of no meaning for a client. */
  readonly streamsMax: number;
  /** Streams that we may open until the peer has told its limit; of no meaning for a server. */
  readonly peerStreamsMax: number;
  /** Of one header block, each field with 32 bytes besides (RFC 9113 section 6.5.2). */
  readonly headerBytesMax: number;
  readonly headerFieldsMax: number;
  /** Of a header block that we send: a longer one is not sent, and ends its stream. */
  readonly sentHeaderBytesMax: number;
  /** Bytes that may be on their way to us, of a stream and of all. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
}

/** Functions of `vendor/nghttp2/glue.c`: connections and all else in its memory are given by their addresses. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  allocate(bytes: number): number;
  open(id: number, isServer: number, ...limits: number[]): number;
  release(connection: number): void;
  receive(connection: number, bytes: number, length: number): number;
  send(connection: number, out: number, room: number): number;
  wants(connection: number): number;
  request(connection: number, text: number, lengths: number, count: number): number;
  respond(c: number, stream: number, text: number, lengths: number, count: number, hasBody: number): number;
  inform(connection: number, stream: number, text: number, lengths: number, count: number): number;
  trailers(connection: number, stream: number, text: number, lengths: number, count: number): number;
  resume(connection: number, stream: number): number;
  reset(connection: number, stream: number, code: number): number;
  consume(connection: number, stream: number, bytes: number): number;
  consumeGone(connection: number, bytes: number): number;
  ping(connection: number): number;
  notice(connection: number): number;
  goaway(connection: number, code: number): number;
  terminate(connection: number, code: number): number;
}

const FILE = new URL('../../../vendor/nghttp2/nghttp2.wasm', import.meta.url);
/** A file that was changed is not run. */
const SHA256 = '9f1f47078e6366656152313c54af158d2efb1b68494281b022ea37dd58d53212';

/** What is read is handed over in pieces of this size at most. */
const INPUT_BYTES = 64 * 1024;
/** What is due is taken in pieces of this size at most. */
const OUTPUT_BYTES = 128 * 1024;
const STDERR = 2;
/** WASI's word for what is not there: nothing here has files. */
const ENOSYS = 52;

const connections: (NativeEvents | undefined)[] = [];
const freeIds: number[] = [];
/** What is being read: pieces of it are handed out, not copies. */
let input: Buffer = Buffer.alloc(0);
/** A small piece would hold the memory of all that came with it. */
const PART_COPIED = 4;
/** Input and output lie at one place for all connections. */
let isBusy = false;

const wasm = load();
const memory = new NativeMemory(wasm.memory, wasm.allocate);
const inputAddress = memory.reserve(INPUT_BYTES);
const outputAddress = memory.reserve(OUTPUT_BYTES);

function load(): Exports {
  const code = readFileSync(FILE);
  if (createHash('sha256').update(code).digest('hex') !== SHA256) {
    throw new Error(
      `${FILE.pathname} is not the file that this version was made with: install Gatehouse again`,
    );
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), {
    connection: {
      headers: told((events, stream, text, lengths, count) =>
        events.headers(stream, memory.readFields(text, lengths, count)),
      ),
      data: told((events, stream, address, length) => events.data(stream, pieceAt(address, length))),
      end: told((events, stream) => events.end(stream)),
      finished: told((events, stream) => events.finished(stream)),
      closed: told((events, stream, code) => events.closed(stream, code >>> 0)),
      goaway: told((events, code) => events.goaway(code >>> 0)),
      goawaySent: told((events, code) => events.goawaySent(code >>> 0)),
      useless: told((events, type) => events.useless(type)),
      pong: told((events) => events.pong()),
      body: told((events, stream, out, room) => events.body(stream, memory.bytes, out, room), BODY_WAITS),
    },
    wasi_snapshot_preview1: {
      clock_time_get: tellTime,
      fd_close: () => ENOSYS,
      fd_seek: () => ENOSYS,
      fd_write: () => ENOSYS,
    },
  });
  const exports = endingAtTraps(instance.exports as Exports);
  exports._initialize();
  return exports;
}

/** After a trap nothing in there can be relied on, by any connection: the process ends, and its supervisor begins anew. */
function endingAtTraps(exports: Exports): Exports {
  const guarded: Record<string, unknown> = { memory: exports.memory };
  for (const [name, call] of Object.entries(exports)) {
    if (typeof call !== 'function') continue;
    guarded[name] = (...given: number[]): number => {
      try {
        return call(...given);
      } catch (error) {
        writeSync(STDERR, `HTTP/2 cannot go on: ${String(error)}\n`);
        return process.exit(1);
      }
    };
  }
  return guarded as unknown as Exports;
}

/** @param given as the module gives it. @returns what the module is told; only some events are to answer. */
type Tell = (events: NativeEvents, ...given: [a: number, b: number, c: number, d: number]) => unknown;

/** An event of the module. Nothing may be thrown into it: what is thrown is told to the connection that it is about. */
function told(tell: Tell, otherwise = 0) {
  return (id: number, a: number, b: number, c: number, d: number): number => {
    const events = connections[id];
    if (events === undefined) return otherwise;
    try {
      const answer = tell(events, a, b, c, d);
      return typeof answer === 'number' ? answer : otherwise;
    } catch (error) {
      events.failed(error);
      return otherwise;
    }
  };
}

/** A piece of what is being read. */
function pieceAt(address: number, length: number): Buffer {
  const from = address - inputAddress;
  const piece = input.subarray(from, from + length);
  if (length * PART_COPIED >= input.length) return piece;
  const copy = Buffer.allocUnsafeSlow(length);
  piece.copy(copy);
  return copy;
}

/** WASI's clock, in nanoseconds: nghttp2 asks for it to limit resets. */
function tellTime(_clock: number, _precision: bigint, out: number): number {
  memory.bytes.writeBigUInt64LE(process.hrtime.bigint(), out);
  return 0;
}

/** A header block that is sent again and again: never given back, so for constants only. */
export function constantFields(fields: HeaderFields): HeaderBlock {
  return memory.keepFields(fields);
}

/** One HTTP/2 connection as nghttp2 keeps it: bytes in, events, bytes out. */
export class NativeConnection {
  readonly #id: number;
  readonly #address: number;

  /** @throws RangeError where there is no memory left. */
  constructor(side: 'client' | 'server', limits: NativeLimits, events: NativeEvents) {
    this.#id = freeIds.pop() ?? connections.length;
    connections[this.#id] = events;
    this.#address = wasm.open(
      this.#id,
      side === 'server' ? 1 : 0,
      limits.streamsMax,
      limits.peerStreamsMax,
      limits.headerBytesMax,
      limits.sentHeaderBytesMax,
      limits.headerFieldsMax,
      limits.streamWindow,
      limits.connectionWindow,
    );
    if (this.#address !== 0) return;
    this.#forget();
    throw new RangeError('no memory is left for HTTP/2');
  }

  /** Nothing may be called after it. */
  release(): void {
    wasm.release(this.#address);
    this.#forget();
  }

  #forget(): void {
    connections[this.#id] = undefined;
    freeIds.push(this.#id);
  }

  /** @param chunk is kept by whoever keeps a piece of it. @returns 0, or the error by which the connection is lost. */
  receive(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; at += INPUT_BYTES) {
      input = chunk.subarray(at, at + INPUT_BYTES);
      input.copy(memory.bytes, inputAddress);
      const failure = alone(wasm.receive, this.#address, inputAddress, input.length);
      if (failure !== 0) return failure;
    }
    return 0;
  }

  /** @returns the next bytes to send; none where nothing is due; the error by which the connection is lost. */
  send(): Buffer | number | undefined {
    const length = alone(wasm.send, this.#address, outputAddress, OUTPUT_BYTES);
    if (length <= 0) return length === 0 ? undefined : length;
    const out = Buffer.allocUnsafe(length);
    memory.bytes.copy(out, 0, outputAddress, outputAddress + length);
    return out;
  }

  /** False when there is nothing left to say to each other. */
  get isOpen(): boolean {
    return wasm.wants(this.#address) !== 0;
  }

  /** @returns the id of the new stream, whose body is asked for; or an error. @throws RangeError, as the next ones do. */
  request(fields: HeaderFields): number {
    const { text, lengths, count } = memory.writeFields(fields);
    return wasm.request(this.#address, text, lengths, count);
  }

  respond(stream: number, fields: HeaderFields | HeaderBlock, hasBody: boolean): number {
    const { text, lengths, count } = blockOf(fields);
    return wasm.respond(this.#address, stream, text, lengths, count, hasBody ? 1 : 0);
  }

  inform(stream: number, fields: HeaderFields): number {
    const { text, lengths, count } = memory.writeFields(fields);
    return wasm.inform(this.#address, stream, text, lengths, count);
  }

  trailers(stream: number, fields: HeaderFields): number {
    const { text, lengths, count } = memory.writeFields(fields);
    return wasm.trailers(this.#address, stream, text, lengths, count);
  }

  resume(stream: number): void {
    wasm.resume(this.#address, stream);
  }

  reset(stream: number, code: number): void {
    wasm.reset(this.#address, stream, code);
  }

  consume(stream: number, length: number): void {
    wasm.consume(this.#address, stream, length);
  }

  /** What was not consumed of a stream that has gone. */
  consumeGone(length: number): void {
    wasm.consumeGone(this.#address, length);
  }

  ping(): void {
    wasm.ping(this.#address);
  }

  /** GOAWAY with the highest id there is: nothing is refused yet. */
  notice(): void {
    wasm.notice(this.#address);
  }

  /** GOAWAY: what has begun goes on. */
  goaway(code: number): void {
    wasm.goaway(this.#address, code);
  }

  /** GOAWAY, and nothing is read or written after it. */
  terminate(code: number): void {
    wasm.terminate(this.#address, code);
  }
}

function alone(call: Exports['receive'], connection: number, bytes: number, length: number): number {
  if (isBusy) throw new Error('nghttp2 is called from one of its events');
  isBusy = true;
  const result = call(connection, bytes, length);
  isBusy = false;
  return result;
}

function blockOf(fields: HeaderFields | HeaderBlock): HeaderBlock {
  return 'count' in fields ? fields : memory.writeFields(fields);
}
