import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { drainSession } from './drain-session.ts';
import { FrameBudget } from './frame-budget.ts';
import { tcpSocketOf } from './tls-listener.ts';

/** Why a connection, or a stream of it, was ended by us or by the runtime. */
export interface Http2Fault {
  readonly reason:
    | 'http2_flood'
    | 'http2_resets'
    | 'http2_protocol_error'
    | 'http2_silent'
    | 'answer_unread'
    | 'tls_flood'
    | 'tls_failed';
  readonly detail: string;
}

export interface Http2WatchOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onFault: (fault: Http2Fault) => void;
  /** What a client may send of a body before it hears that nobody wants it. */
  readonly streamWindow: number;
}

const TICK_MS = 1000;
/** A Worker that stops has a few polls of whose end it has not heard. */
const FAREWELL_STREAMS_MAX = 50;
/** After TLS, the first frames come within the time of a handshake (T-005). */
const SILENT_MS = 10_000;
/** As the engine's own frontend: 2 minutes without a call (data-plane.md 5.3). A parked poll is a call. */
const IDLE_MS = 120_000;
/** An answer that nobody reads to its end is given up; a slow line gets longer for a large one. */
const UNREAD_MS = 60_000;
const READ_BYTES_PER_SECOND_MIN = 32 * 1024;
/** An answered call whose client does not end its own side is ended for it (RFC 9113 section 8.1). */
const HALF_CLOSED_MS = 10_000;
/** A client that does not hang up after our last word is cut off. */
const LINGER_MS = 2000;
/**
 * Streams that end early, by the client's reset or by ours (T-024, T-025): 500 at once that lived for less than two
 * ticks, as Envoy, or 1,000 that lived longer, as the runtime; then 33 a second.
 */
const RESET_POINTS_MAX = 1000;
const RESET_POINTS_PER_SECOND = 33;
/** Bodies in tiny frames cost a turn of ours each: the budget is looked at after this many of them. */
const CHUNKS_PER_CHECK = 1024;

/**
 * Records of TLS that carry nothing, above all KeyUpdate (T-003), which OpenSSL takes without end: 27 bytes each, so
 * about 300. A record has an overhead of 22 bytes and the smallest frame 9, hence the factor.
 */
const EMPTY_RECORD_BYTES_MAX = 8 * 1024;
const RECORD_OVERHEAD_MAX = 4;

/** What the runtime reports when it gives up on a peer, by nghttp2's own numbers. */
const FLOOD_ERRNOS: ReadonlySet<unknown> = new Set([-904, -905]);
const BREACH_ERRNO = -505;

/**
 * Watches one HTTP/2 connection for what the runtime lets pass: floods, resets, silence, answers that nobody reads.
 * What it ends, and what the runtime ends, is told to `onFault`.
 */
export class Http2Watch {
  readonly #session: ServerHttp2Session;
  readonly #socket: TLSSocket;
  readonly #tcp: Socket;
  readonly #handshakeBytes: number;
  readonly #options: Http2WatchOptions;
  readonly #budget = new FrameBudget();
  /** Open streams, with the tick in which each began. */
  readonly #streams = new Map<ServerHttp2Stream, number>();
  /** Streams that wait for their client, since when. */
  readonly #waiting = new Map<ServerHttp2Stream, number>();
  readonly #timer: NodeJS.Timeout;
  #tick = 0;
  #tickedMs: number;
  #quietSinceMs: number;
  #resetPoints = RESET_POINTS_MAX;
  #chunks = 0;
  #isDraining = false;
  #hadAnswers = false;

  constructor(session: ServerHttp2Session, socket: TLSSocket, options: Http2WatchOptions) {
    this.#session = session;
    this.#socket = socket;
    this.#tcp = tcpSocketOf(socket);
    this.#handshakeBytes = this.#tcp.bytesRead;
    this.#options = options;
    this.#tickedMs = options.now();
    this.#quietSinceMs = this.#tickedMs;
    this.#timer = setInterval(() => this.#look(), TICK_MS).unref();
    this.#interceptDestroy();
    const closed = this.#closedListener();
    const push = this.#pushListener();
    const close = this.#closeListener();
    session.on('stream', (stream, headers, _flags, rawHeaders: readonly string[]) => {
      this.#streams.set(stream, this.#tick);
      this.#budget.call(rawHeaders);
      // What came together with the head is in the stream's buffer already.
      this.#budget.body(stream.readableLength);
      stream.push = push;
      stream.close = close;
      stream.on('close', closed);
      // Nobody is a proxy here. The door records the call and finds the stream closed.
      if (headers[':method'] === 'CONNECT') stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    });
    socket.once('close', () => clearInterval(this.#timer));
  }

  /** One function for all streams of the connection: each call would pay for one of its own. */
  #closedListener(): (this: ServerHttp2Stream) => void {
    const closed = (stream: ServerHttp2Stream): void => this.#closed(stream);
    return function onClose() {
      closed(this);
    };
  }

  /** The only place that sees the bytes of every body, whoever reads it, or nobody. */
  #pushListener(): (this: ServerHttp2Stream, chunk: Buffer | null) => boolean {
    const came = (bytes: number): void => {
      this.#budget.body(bytes);
      this.#chunks += 1;
      if (this.#chunks % CHUNKS_PER_CHECK === 0) this.#checkBudget();
    };
    return function onPush(chunk) {
      if (chunk !== null) came(chunk.length);
      return Duplex.prototype.push.call(this, chunk);
    };
  }

  /** What a client sends before it hears that we have ended its stream comes to nobody. */
  #closeListener(): ServerHttp2Stream['close'] {
    const cut = (): void => this.#budget.cutShort(this.#options.streamWindow);
    return function onCloseByUs(this: ServerHttp2Stream, ...given) {
      cut();
      const { close } = Object.getPrototypeOf(this) as ServerHttp2Stream;
      close.apply(this, given);
    };
  }

  #closed(stream: ServerHttp2Stream): void {
    const began = this.#streams.get(stream);
    this.#streams.delete(stream);
    this.#waiting.delete(stream);
    if (this.#streams.size === 0) this.#quietSinceMs = this.#tickedMs;
    // Whoever goes on sending after an answer is cut off too, at no cost: that is not held against him. A reset
    // may come without an error code, but then there was no answer.
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.headersSent) {
      this.#hadAnswers = true;
      return;
    }
    this.#budget.cutShort(this.#options.streamWindow);
    // A connection that goes takes its streams with it.
    if (began === undefined || this.#session.destroyed || this.#socket.destroyed) return;
    this.#resetPoints -= this.#tick - began < 2 ? 2 : 1;
    if (this.#resetPoints < 0) this.#end({ reason: 'http2_resets', detail: 'too many streams ended early' });
  }

  #look(): void {
    if (this.#session.destroyed) return;
    const nowMs = this.#options.now();
    const refill = ((nowMs - this.#tickedMs) / 1000) * RESET_POINTS_PER_SECOND;
    this.#resetPoints = Math.min(RESET_POINTS_MAX, this.#resetPoints + refill);
    this.#tick += 1;
    this.#tickedMs = nowMs;
    this.#checkBudget();
    if (this.#streams.size > 0) this.#lookAtStreams(nowMs);
    else if (!this.#session.closed) this.#lookAtQuiet(nowMs);
  }

  #lookAtQuiet(nowMs: number): void {
    const quietMs = nowMs - this.#quietSinceMs;
    if (quietMs >= IDLE_MS && !this.#isDraining) {
      this.#isDraining = true;
      drainSession(this.#session);
    } else if (quietMs >= SILENT_MS && this.#socket.bytesRead === 0) {
      this.#end({ reason: 'http2_silent', detail: 'nothing came after the TLS handshake' });
    }
  }

  #lookAtStreams(nowMs: number): void {
    for (const stream of this.#streams.keys()) {
      // Streams of the gateway's own services stay open on both sides for as long as their clients like.
      if (!stream.writableEnded) continue;
      const sinceMs = this.#waiting.get(stream);
      if (sinceMs === undefined) this.#waiting.set(stream, nowMs);
      else this.#lookAtWaiting(stream, nowMs - sinceMs);
    }
  }

  #lookAtWaiting(stream: ServerHttp2Stream, waitedMs: number): void {
    if (stream.writableFinished) {
      if (waitedMs >= HALF_CLOSED_MS) stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const slowLineMs = (stream.writableLength / READ_BYTES_PER_SECOND_MIN) * 1000;
    if (waitedMs < UNREAD_MS + slowLineMs) return;
    this.#options.onFault({ reason: 'answer_unread', detail: `${stream.writableLength} bytes were left` });
    stream.close(constants.NGHTTP2_CANCEL);
  }

  #checkBudget(): void {
    const { bytesRead, bytesWritten } = this.#socket;
    const recordBytes = this.#tcp.bytesRead - this.#handshakeBytes;
    if (recordBytes > bytesRead * RECORD_OVERHEAD_MAX + EMPTY_RECORD_BYTES_MAX) {
      this.#end({ reason: 'tls_flood', detail: 'records that carry nothing' });
      return;
    }
    const overdrawn = this.#budget.overdrawn(this.#tickedMs, bytesRead, bytesWritten);
    if (overdrawn > 0) {
      this.#end({ reason: 'http2_flood', detail: 'frames that carry nothing' });
    }
  }

  #end(fault: Http2Fault): void {
    if (this.#session.destroyed) return;
    this.#options.onFault(fault);
    const { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = constants;
    const isSilent = fault.reason === 'http2_silent';
    this.#session.destroy(new Error(fault.reason), isSilent ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /**
   * Every end of a session passes through its `destroy`: the runtime's own limits call it with an error and would
   * answer INTERNAL_ERROR to a flood.
   */
  #interceptDestroy(): void {
    const session = this.#session;
    const destroy = session.destroy.bind(session);
    session.destroy = (...given): void => {
      if (session.destroyed) return;
      this.#cutOffLater();
      const [error] = given;
      const fault = error instanceof Error && !this.#isFarewell(error) ? faultOf(error) : undefined;
      if (fault !== undefined) this.#options.onFault(fault);
      const answer = fault === undefined ? undefined : codes[fault.reason];
      if (answer === undefined) destroy(...given);
      else destroy(error, answer);
    };
  }

  /**
   * Clients in Go and Java say goodbye with a GOAWAY for the highest stream id there is, which nghttp2 takes for a
   * breach of the protocol, since it is none of ours (RFC 9113 section 6.8 lets a sender name any).
   */
  #isFarewell(error: Error & { readonly errno?: number }): boolean {
    return error.errno === BREACH_ERRNO && this.#hadAnswers && this.#streams.size < FAREWELL_STREAMS_MAX;
  }

  /** The last frames may wait for a client that does not read, and the socket for one that does not hang up. */
  #cutOffLater(): void {
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

/** What a peer is told; where the runtime has sent a GOAWAY of its own already, that one stands. */
const codes: Partial<Record<Http2Fault['reason'], number>> = {
  http2_flood: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  http2_protocol_error: constants.NGHTTP2_PROTOCOL_ERROR,
};

/** @returns undefined where nobody did anything wrong: the network failed, or the peer said goodbye in its own words. */
function faultOf(error: Error & { readonly code?: string; readonly errno?: number }): Http2Fault | undefined {
  const { code = '', errno } = error;
  if (code === 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES' || FLOOD_ERRNOS.has(errno)) {
    return { reason: 'http2_flood', detail: error.message };
  }
  if (code === 'ERR_HTTP2_ERROR') return { reason: 'http2_protocol_error', detail: error.message };
  if (/^ERR_SSL_|^EPROTO$/.test(code)) return { reason: 'tls_failed', detail: code };
  return undefined;
}
