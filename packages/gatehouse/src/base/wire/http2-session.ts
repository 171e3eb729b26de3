import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { type Http2Fault, Http2Watch } from './http2-watch.ts';

/** threats.md T-026: at most this much of headers is ever held. */
const HEADER_BYTES_MAX = 64 * 1024;
const HEADER_PAIRS_MAX = 128;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * 1024 * 1024;

export interface Http2SessionOptions {
  /**
   * Calls and polls at once. A client that opens more before it has acknowledged our settings gets REFUSED_STREAM;
   * one that does so afterwards breaks the protocol and gets GOAWAY(PROTOCOL_ERROR), which the runtime decides.
   */
  readonly streamsMax: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told why a connection or a stream was ended; what calls end with is their own record. */
  readonly onFault: (fault: Http2Fault) => void;
}

/**
 * Speaks HTTP/2 on a connection whose TLS is done. The limits are no looser than Envoy's (threats.md
 * section 5): some are the runtime's, set here, the others are kept by {@link Http2Watch}.
 */
export function startHttp2Session(
  socket: TLSSocket,
  { streamsMax, now, onFault }: Http2SessionOptions,
): ServerHttp2Session {
  const session = performServerHandshake(socket, {
    maxHeaderListPairs: HEADER_PAIRS_MAX,
    maxSendHeaderBlockLength: HEADER_BYTES_MAX,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    // In MiB: what one connection may make us hold.
    maxSessionMemory: 64,
    settings: {
      enablePush: false,
      enableConnectProtocol: false,
      initialWindowSize: STREAM_WINDOW,
      maxConcurrentStreams: streamsMax,
      maxHeaderListSize: HEADER_BYTES_MAX,
    },
  });
  session.setLocalWindowSize(CONNECTION_WINDOW);
  new Http2Watch(session, socket, { now, onFault, streamWindow: STREAM_WINDOW });
  return session;
}
