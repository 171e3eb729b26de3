import type { Frame } from '#base/model/frame';
import type { HeaderFields } from './header-fields.ts';
import { BODY_ENDS, BODY_WAITS, TRAILERS_FOLLOW } from './nghttp2.ts';

/** Whoever reads a stream. Told in this order; `closed` comes last, and always. */
export interface StreamReader {
  /** Headers of an answer, then its trailers if there are any. Not told to a server. */
  headers?(fields: HeaderFields): void;
  data(chunk: Buffer): void;
  /** The peer has said all. */
  end(): void;
  /** @param code of HTTP/2 (RFC 9113 section 7): 0 where the stream came to its end. */
  closed(code: number): void;
}

/** What a stream needs of its connection. Nothing of it does anything once the connection is over. */
export interface StreamHost {
  /** Takes no new streams. */
  readonly isClosing: boolean;
  /** Has what is due sent at the end of this turn. */
  sendSoon(): void;
  /** So many bytes more, or less, wait for the peer. */
  hold(bytes: number): void;
  /** There is something to ask for again. */
  resume(stream: number): void;
  /** So many bytes that came are of no more concern. */
  consume(stream: number, bytes: number): void;
  reset(stream: number, code: number): void;
}

/** A writer that does not wait for its peer is asked to at this much. */
const ROOM_BYTES = 64 * 1024;

/** One HTTP/2 stream: what came is told to its reader, what is written waits here until the peer has room for it. */
export abstract class Http2Stream {
  readonly id: number;
  readonly #host: StreamHost;
  #reader: StreamReader | undefined;
  #pieces: Buffer[] = [];
  /** Which piece is next, and how much of it has gone. */
  #next = 0;
  #offset = 0;
  #unsent = 0;
  #ended = false;
  #isWaiting = false;
  #unread = 0;
  #isPaced = false;
  #roomier: (() => void) | undefined;
  /** The peer has said all. */
  isReadToEnd = false;
  /** All of our side has been handed to the connection. */
  isWritten = false;
  #code: number | undefined;

  constructor(host: StreamHost, id: number) {
    this.#host = host;
    this.id = id;
  }

  get isClosed(): boolean {
    return this.#code !== undefined;
  }

  /** Whether the connection takes no new streams any more. */
  get isDraining(): boolean {
    return this.#host.isClosing;
  }

  /** Bytes that were written and have not gone. */
  get unsentBytes(): number {
    return this.#unsent;
  }

  /** Nothing more will be written. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Takes over what comes from now on; without a reader it is dropped. */
  read(reader: StreamReader): void {
    this.#reader = reader;
    if (this.#code === undefined) return;
    this.#reader = undefined;
    reader.closed(this.#code);
  }

  /** From now on the peer may send only as much more as `consume` is told of. */
  pace(): void {
    this.#isPaced = true;
  }

  consume(bytes: number): void {
    if (this.isClosed || bytes === 0) return;
    this.#unread -= bytes;
    this.#host.consume(this.id, bytes);
  }

  /** @returns whether there is room for more; otherwise `whenRoomier` tells when. */
  protected writeBody(frame: Frame): boolean {
    if (this.isClosed || this.#ended) return false;
    if (Buffer.isBuffer(frame)) this.#push(frame);
    else for (const piece of frame) this.#push(piece);
    this.#wake();
    return this.#unsent < ROOM_BYTES;
  }

  protected endBody(): void {
    if (this.isClosed || this.#ended) return;
    this.#ended = true;
    this.#wake();
  }

  /** Calls back once, when what was written has gone or the stream is closed. */
  whenRoomier(listener: () => void): void {
    if (this.isClosed || this.#unsent === 0) queueMicrotask(listener);
    else this.#roomier = listener;
  }

  /** Ends the stream at once, both sides of it: `closed` is told before this returns. */
  reset(code: number): void {
    if (!this.isClosed) this.#host.reset(this.id, code);
  }

  #push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#unsent += piece.length;
    this.#host.hold(piece.length);
  }

  #wake(): void {
    if (this.#isWaiting) this.#host.resume(this.id);
    this.#isWaiting = false;
    this.#host.sendSoon();
  }

  // From here on: for the connection.

  /** Takes a piece of the body. @returns how much of it is consumed. */
  take(chunk: Buffer): number {
    if (this.#reader === undefined || !this.#isPaced) {
      this.#reader?.data(chunk);
      return chunk.length;
    }
    this.#unread += chunk.length;
    this.#reader.data(chunk);
    return 0;
  }

  tellHeaders(fields: HeaderFields): void {
    this.#reader?.headers?.(fields);
  }

  tellEnd(): void {
    this.isReadToEnd = true;
    this.#reader?.end();
  }

  /** Gives out what is next: see `NativeEvents.body`. */
  fill(out: Buffer, at: number, room: number): number {
    let length = 0;
    for (let piece = this.#pieces[this.#next]; piece !== undefined && length < room; ) {
      const copied = piece.copy(out, at + length, this.#offset, this.#offset + room - length);
      length += copied;
      this.#offset += copied;
      if (this.#offset < piece.length) break;
      this.#next += 1;
      this.#offset = 0;
      piece = this.#pieces[this.#next];
    }
    this.#unsent -= length;
    this.#host.hold(-length);
    if (this.#unsent > 0) return length;
    this.#pieces = [];
    this.#next = 0;
    if (this.#ended) return length + BODY_ENDS + (this.sendTrailers() ? TRAILERS_FOLLOW : 0);
    this.#tellRoom();
    if (length > 0) return length;
    this.#isWaiting = true;
    return BODY_WAITS;
  }

  /** The last of the body is being given out. @returns whether trailers follow. */
  protected sendTrailers(): boolean {
    return false;
  }

  tellWritten(): void {
    this.isWritten = true;
  }

  /** Bytes that came and that nobody has consumed. */
  get unreadBytes(): number {
    return this.#unread;
  }

  tellClosed(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    this.#host.hold(-this.#unsent);
    this.#pieces = [];
    this.#unsent = 0;
    this.#tellRoom();
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.closed(code);
  }

  #tellRoom(): void {
    if (this.#roomier !== undefined) queueMicrotask(this.#roomier);
    this.#roomier = undefined;
  }
}
