import type { TLSSocket } from 'node:tls';
import { Http2Code } from './error-codes.ts';
import type { HeaderFields } from './header-fields.ts';
import type { Http2Stream, StreamHost } from './http2-stream.ts';
import { BODY_WAITS, NativeConnection, type NativeEvents, type NativeLimits } from './nghttp2.ts';
import { reading, sendSoon } from './send-soon.ts';

/** What a peer has to hear our last word, and to hang up. */
const LINGER_MS = 2000;
/** What is read away of a peer that sends on meanwhile. */
const DISCARDED_BYTES_MAX = 1024 * 1024;

/** An HTTP/2 connection over TLS: what is common to both sides. */
export abstract class Http2Connection<S extends Http2Stream = Http2Stream>
  implements NativeEvents, StreamHost
{
  readonly #socket: TLSSocket;
  readonly #native: NativeConnection;
  protected readonly streams = new Map<number, S>();
  readonly #pings: (() => void)[] = [];
  readonly #closeListeners: (() => void)[] = [];
  #isClosing = false;
  #isDestroyed = false;
  /** Our last word has been said: what comes is dropped. */
  #isOver = false;
  /** The socket holds all that it should. */
  #isBlocked = false;
  #isDue = false;
  #discarded = 0;
  #isCutOff = false;
  #isGone = false;
  #received = 0;
  #sent = 0;
  #unsent = 0;

  constructor(socket: TLSSocket, side: 'client' | 'server', limits: NativeLimits) {
    this.#socket = socket;
    this.#native = new NativeConnection(side, limits, this);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.sendSoon();
    });
    // Who sends no more takes no more: HTTP/2 has no half of a connection.
    socket.once('end', () => this.#end());
    socket.on('error', (error) => this.socketFailed(error));
    socket.once('close', () => this.#gone());
    // The peer may have gone already: then nobody tells.
    if (socket.closed) process.nextTick(() => this.#gone());
    this.sendSoon();
  }

  /** Takes no new streams. */
  get isClosing(): boolean {
    return this.#isClosing || this.#isDestroyed;
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** Bytes of HTTP/2 that came and went, TLS not counted. */
  get receivedBytes(): number {
    return this.#received;
  }

  get sentBytes(): number {
    return this.#sent;
  }

  /** Bytes of bodies that wait for the peer. */
  get unsentBytes(): number {
    return this.#unsent;
  }

  /** Calls back once, when the socket has gone; at the end of this turn where it has already. */
  onClose(listener: () => void): void {
    if (this.#isGone) queueMicrotask(listener);
    else this.#closeListeners.push(listener);
  }

  /** Lets open streams finish and takes no new ones (RFC 9113 section 6.8). */
  close(): void {
    if (this.isClosing) return;
    this.#isClosing = true;
    this.#native.goaway(Http2Code.NO_ERROR);
    this.sendSoon();
  }

  /** Says that the connection will be closed; nothing is refused yet. */
  notice(): void {
    if (this.isClosing) return;
    this.#native.notice();
    this.sendSoon();
  }

  ping(answered: () => void): void {
    if (this.#isDestroyed) return;
    this.#pings.push(answered);
    this.#native.ping();
    this.sendSoon();
  }

  /** Ends all streams and says why, once. */
  destroy(code: number = Http2Code.NO_ERROR): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    if (!this.#isOver) this.#native.terminate(code);
    this.#closeStreams(Http2Code.CANCEL);
    this.#cutOffLater();
    this.sendSoon();
  }

  // For streams.

  /** Hands out what is due, once per turn. */
  sendSoon(): void {
    if (this.#isDue || this.#isOver) return;
    this.#isDue = true;
    sendSoon(this);
  }

  hold(bytes: number): void {
    this.#unsent += bytes;
  }

  resume(stream: number): void {
    if (!this.#isOver) this.#native.resume(stream);
  }

  consume(stream: number, bytes: number): void {
    if (this.#isOver) return;
    this.#native.consume(stream, bytes);
    this.sendSoon();
  }

  reset(stream: number, code: number): void {
    if (this.#isOver) return;
    this.#native.reset(stream, code);
    this.closed(stream, code);
    this.sendSoon();
  }

  protected get native(): NativeConnection {
    return this.#native;
  }

  protected get isOver(): boolean {
    return this.#isOver;
  }

  protected get socket(): TLSSocket {
    return this.#socket;
  }

  /** nghttp2 gives the connection up. @param errno its own number. */
  protected abstract lost(errno: number): void;
  protected abstract socketFailed(error: Error): void;
  abstract headers(stream: number, fields: HeaderFields): void;
  abstract goaway(code: number): void;
  abstract failed(error: unknown): void;

  #receive(chunk: Buffer): void {
    if (this.#isDestroyed) return this.#discard(chunk.length);
    this.#received += chunk.length;
    const failure = reading(this.#native, chunk);
    if (failure !== 0 && !this.#isDestroyed) this.lost(failure);
    return this.sendSoon();
  }

  /** Were it not read, our last word would be lost with it (RFC 9293 section 3.10.4). */
  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > DISCARDED_BYTES_MAX) this.#socket.destroy();
  }

  /** For {@link sendSoon}: hands out what is due, as far as the peer takes it. */
  send(): void {
    this.#isDue = false;
    if (this.#isOver) return;
    while (!this.#isBlocked) {
      const out = this.#native.send();
      if (out === undefined) break;
      if (typeof out === 'number') {
        if (!this.#isDestroyed) this.lost(out);
        this.#end();
        return;
      }
      this.#sent += out.length;
      this.#isBlocked = !this.#socket.write(out);
    }
    if (!this.#isBlocked && !this.#native.isOpen) this.#end();
  }

  /** All is said. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isDestroyed = true;
    this.#closeStreams(Http2Code.CANCEL);
    this.#socket.end();
    this.#cutOffLater();
  }

  /** The last frames may wait for a peer that does not read, and the socket for one that does not hang up. */
  #cutOffLater(): void {
    if (this.#isCutOff) return;
    this.#isCutOff = true;
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#isOver = true;
    this.#isDestroyed = true;
    this.#closeStreams(Http2Code.CANCEL);
    this.#native.release();
    for (const listener of this.#closeListeners.splice(0)) this.#guard(listener);
  }

  #closeStreams(code: number): void {
    const open = [...this.streams.values()];
    this.streams.clear();
    for (const stream of open) this.#guard(() => stream.tellClosed(code));
  }

  /** A fault of ours in one who is told keeps nobody else from being told. */
  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.failed(error);
    }
  }

  // What nghttp2 tells.

  data(id: number, chunk: Buffer): number {
    return this.streams.get(id)?.take(chunk) ?? chunk.length;
  }

  end(id: number): void {
    this.streams.get(id)?.tellEnd();
  }

  finished(id: number): void {
    this.streams.get(id)?.tellWritten();
  }

  closed(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.streams.delete(id);
    const unread = stream.unreadBytes;
    if (unread > 0 && !this.#isOver) this.#native.consumeGone(unread);
    this.#guard(() => stream.tellClosed(code));
  }

  goawaySent(_code: number): void {}

  useless(_type: number): void {}

  pong(): void {
    this.#pings.shift()?.();
  }

  body(id: number, out: Buffer, at: number, room: number): number {
    return this.streams.get(id)?.fill(out, at, room) ?? BODY_WAITS;
  }
}
