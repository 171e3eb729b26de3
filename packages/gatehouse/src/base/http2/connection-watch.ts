import type { TLSSocket } from 'node:tls';
import { tcpSocketOf } from '#base/wire/tls-listener';
import { drainConnection } from './drain-connection.ts';
import { Http2Code } from './error-codes.ts';
import { FrameBudget } from './frame-budget.ts';
import type { ServerConnection, ServerObserver } from './server-connection.ts';
import type { ServerStream } from './server-stream.ts';

/** Why a connection, or a stream of it, was ended by us or by nghttp2. */
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

export interface ConnectionWatchOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onFault: (fault: Http2Fault) => void;
  /** What a client may send of a body before it hears that nobody wants it. */
  readonly streamWindow: number;
}

const TICK_MS = 1000;
/** After TLS, the first frames come within the time of a handshake (T-005). */
const SILENT_MS = 10_000;
/** As the engine's own frontend: 2 minutes without a call (data-plane.md 5.3). A parked poll is a call. */
const IDLE_MS = 120_000;
/** An answer that nobody reads to its end is given up; a slow line gets longer for a large one. */
const UNREAD_MS = 60_000;
const READ_BYTES_PER_SECOND_MIN = 32 * 1024;
/** An answered call whose client does not end its own side is ended for it (RFC 9113 section 8.1). */
const HALF_CLOSED_MS = 10_000;
/**
 * Streams that end early, by the client's reset or by ours (T-024, T-025): 500 at once that lived for less than two
 * ticks, as Envoy, or 1,000 that lived longer, as nghttp2; then 33 a second.
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

/** In the life of a connection (T-025, T-027): Envoy closes at the first frame that breaks the protocol. */
const USELESS_FRAMES_MAX = 100;
/** Frame type, RFC 9113 section 6.8. */
const GOAWAY = 7;

/** What nghttp2 reports when it gives up: too many answers of ours unread, too many CONTINUATION, a first line that is none. */
const FLOODED = -904;
const TOO_MANY_CONTINUATIONS = -905;
const BAD_PREFACE = -903;

interface Watched {
  /** The tick in which it began. */
  readonly began: number;
  /** Waits for its client, since when. */
  waitsSinceMs: number | undefined;
}

/** All connections are looked at together: a timer for each would wake the process a thousand times a second. */
const watches = new Set<ConnectionWatch>();
let timer: NodeJS.Timeout | undefined;

/**
 * Watches one HTTP/2 connection for what nghttp2 lets pass: floods, resets, silence, answers that nobody reads.
 * What it ends, and what nghttp2 ends, is told to `onFault`.
 */
export class ConnectionWatch implements ServerObserver {
  readonly #connection: ServerConnection;
  readonly #tcp: { readonly bytesRead: number };
  readonly #handshakeBytes: number;
  readonly #options: ConnectionWatchOptions;
  readonly #budget = new FrameBudget();
  readonly #streams = new Map<ServerStream, Watched>();
  #tick = 0;
  #tickedMs: number;
  #quietSinceMs: number;
  #resetPoints = RESET_POINTS_MAX;
  #chunks = 0;
  #useless = 0;
  #isDraining = false;
  #isFaulty = false;
  #saysGoodbye = false;

  constructor(connection: ServerConnection, socket: TLSSocket, options: ConnectionWatchOptions) {
    this.#connection = connection;
    this.#tcp = tcpSocketOf(socket);
    this.#handshakeBytes = this.#tcp.bytesRead;
    this.#options = options;
    this.#tickedMs = options.now();
    this.#quietSinceMs = this.#tickedMs;
    connection.observe(this);
    watches.add(this);
    timer ??= setInterval(lookAtAll, TICK_MS).unref();
    connection.onClose(() => watches.delete(this));
  }

  opened(stream: ServerStream): void {
    this.#streams.set(stream, { began: this.#tick, waitsSinceMs: undefined });
    this.#budget.call(stream.fields);
    // Nobody is a proxy here. The door records the call and finds the stream closed.
    if (stream.field(':method') === 'CONNECT') stream.reset(Http2Code.PROTOCOL_ERROR);
  }

  came(bytes: number): void {
    this.#budget.body(bytes);
    this.#chunks += 1;
    if (this.#chunks % CHUNKS_PER_CHECK === 0) this.#checkBudget();
  }

  /** What a client sends before it hears that we have ended its stream comes to nobody. */
  cut(): void {
    this.#budget.cutShort(this.#options.streamWindow);
  }

  closed(stream: ServerStream, code: number): void {
    const watched = this.#streams.get(stream);
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#quietSinceMs = this.#tickedMs;
    // Whoever goes on sending after an answer is cut off too, at no cost: that is not held against him. A reset
    // may come without an error code, but then there was no answer.
    if (code === Http2Code.NO_ERROR && stream.isAnswered) return;
    this.#budget.cutShort(this.#options.streamWindow);
    // A connection that goes takes its streams with it.
    if (watched === undefined || this.#connection.isDestroyed) return;
    this.#resetPoints -= this.#tick - watched.began < 2 ? 2 : 1;
    if (this.#resetPoints < 0) this.#end({ reason: 'http2_resets', detail: 'too many streams ended early' });
  }

  /** Of our own accord we send none with an error but in {@link #end}: this one is nghttp2's. */
  goawaySent(code: number): void {
    if (code === Http2Code.NO_ERROR || this.#saysGoodbye) return;
    const isFlood = code === Http2Code.ENHANCE_YOUR_CALM || code === Http2Code.INTERNAL_ERROR;
    this.#tell({
      reason: isFlood ? 'http2_flood' : 'http2_protocol_error',
      detail: `ended with HTTP/2 code ${code}`,
    });
  }

  /**
   * Clients in Go and Java say goodbye with a GOAWAY for the highest stream id there is, which nghttp2 takes for a
   * breach of the protocol, since it is none of ours (RFC 9113 section 6.8 lets a sender name any).
   */
  useless(type: number): void {
    if (type === GOAWAY) this.#saysGoodbye = true;
    this.#useless += 1;
    if (this.#useless > USELESS_FRAMES_MAX) {
      this.#end({ reason: 'http2_flood', detail: 'frames that break the protocol or carry nothing' });
    }
  }

  lost(errno: number): void {
    if (errno === FLOODED) this.#end({ reason: 'http2_flood', detail: 'answers that nobody reads' });
    else if (errno === TOO_MANY_CONTINUATIONS)
      this.#end({ reason: 'http2_flood', detail: 'a head without end' });
    else if (errno === BAD_PREFACE)
      this.#end({ reason: 'http2_protocol_error', detail: 'this is not HTTP/2' });
    else this.#tell({ reason: 'http2_protocol_error', detail: `nghttp2 gave up: ${errno}` });
  }

  socketFailed(error: Error & { readonly code?: string }): void {
    const { code = '' } = error;
    if (/^ERR_SSL_|^EPROTO$/.test(code)) this.#tell({ reason: 'tls_failed', detail: code });
  }

  look(): void {
    if (this.#connection.isDestroyed) return;
    const nowMs = this.#options.now();
    const refill = ((nowMs - this.#tickedMs) / 1000) * RESET_POINTS_PER_SECOND;
    this.#resetPoints = Math.min(RESET_POINTS_MAX, this.#resetPoints + refill);
    this.#tick += 1;
    this.#tickedMs = nowMs;
    this.#checkBudget();
    if (this.#streams.size > 0) this.#lookAtStreams(nowMs);
    else if (!this.#connection.isClosing) this.#lookAtQuiet(nowMs);
  }

  #lookAtQuiet(nowMs: number): void {
    const quietMs = nowMs - this.#quietSinceMs;
    if (quietMs >= IDLE_MS && !this.#isDraining) {
      this.#isDraining = true;
      drainConnection(this.#connection);
    } else if (quietMs >= SILENT_MS && this.#connection.receivedBytes === 0) {
      this.#end({ reason: 'http2_silent', detail: 'nothing came after the TLS handshake' });
    }
  }

  #lookAtStreams(nowMs: number): void {
    for (const [stream, watched] of this.#streams) {
      // Streams of the gateway's own services stay open on both sides for as long as their clients like.
      if (!stream.isEnded) continue;
      watched.waitsSinceMs ??= nowMs;
      this.#lookAtWaiting(stream, nowMs - watched.waitsSinceMs);
    }
  }

  #lookAtWaiting(stream: ServerStream, waitedMs: number): void {
    if (stream.isWritten) {
      if (waitedMs >= HALF_CLOSED_MS) stream.reset(Http2Code.NO_ERROR);
      return;
    }
    const slowLineMs = (stream.unsentBytes / READ_BYTES_PER_SECOND_MIN) * 1000;
    if (waitedMs < UNREAD_MS + slowLineMs) return;
    this.#options.onFault({ reason: 'answer_unread', detail: `${stream.unsentBytes} bytes were left` });
    stream.reset(Http2Code.CANCEL);
  }

  #checkBudget(): void {
    const { receivedBytes, sentBytes } = this.#connection;
    const recordBytes = this.#tcp.bytesRead - this.#handshakeBytes;
    if (recordBytes > receivedBytes * RECORD_OVERHEAD_MAX + EMPTY_RECORD_BYTES_MAX) {
      this.#end({ reason: 'tls_flood', detail: 'records that carry nothing' });
      return;
    }
    const overdrawn = this.#budget.overdrawn(this.#tickedMs, receivedBytes, sentBytes);
    if (overdrawn > 0) this.#end({ reason: 'http2_flood', detail: 'frames that carry nothing' });
  }

  #end(fault: Http2Fault): void {
    if (this.#connection.isDestroyed) return;
    this.#tell(fault);
    this.#connection.destroy(codes[fault.reason]);
  }

  /** Once: what follows of it is its consequence. */
  #tell(fault: Http2Fault): void {
    if (this.#isFaulty) return;
    this.#isFaulty = true;
    this.#options.onFault(fault);
  }
}

/** What a peer is told. */
const codes: Record<Http2Fault['reason'], number> = {
  http2_flood: Http2Code.ENHANCE_YOUR_CALM,
  http2_resets: Http2Code.ENHANCE_YOUR_CALM,
  tls_flood: Http2Code.ENHANCE_YOUR_CALM,
  http2_protocol_error: Http2Code.PROTOCOL_ERROR,
  http2_silent: Http2Code.NO_ERROR,
  answer_unread: Http2Code.CANCEL,
  tls_failed: Http2Code.NO_ERROR,
};

function lookAtAll(): void {
  for (const watch of watches) watch.look();
  if (watches.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
