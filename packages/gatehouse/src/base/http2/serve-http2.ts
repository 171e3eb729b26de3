import type { TLSSocket } from 'node:tls';
import { ConnectionWatch, type Http2Fault } from './connection-watch.ts';
import { ServerConnection, type ServerHandlers } from './server-connection.ts';

/** threats.md T-026: at most this much of headers is ever held. */
const HEADER_BYTES_MAX = 64 * 1024;
const HEADER_FIELDS_MAX = 128;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * 1024 * 1024;

export interface ServeHttp2Options extends ServerHandlers {
  /**
   * Calls and polls at once. A client that opens more before it has acknowledged our settings gets REFUSED_STREAM;
   * one that does so afterwards breaks the protocol and gets GOAWAY(PROTOCOL_ERROR), which nghttp2 decides.
   */
  readonly streamsMax: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told why a connection or a stream was ended; what calls end with is their own record. */
  readonly onFault: (fault: Http2Fault) => void;
}

/**
 * Speaks HTTP/2 on a connection whose TLS is done. The limits are no looser than Envoy's (threats.md
 * section 5): some are nghttp2's, set here, the others are kept by {@link ConnectionWatch}.
 */
export function serveHttp2(socket: TLSSocket, options: ServeHttp2Options): ServerConnection {
  const limits = {
    streamsMax: options.streamsMax,
    peerStreamsMax: 0,
    headerBytesMax: HEADER_BYTES_MAX,
    headerFieldsMax: HEADER_FIELDS_MAX,
    sentHeaderBytesMax: HEADER_BYTES_MAX,
    streamWindow: STREAM_WINDOW,
    connectionWindow: CONNECTION_WINDOW,
  };
  const connection = new ServerConnection(socket, limits, options);
  const { now, onFault } = options;
  new ConnectionWatch(connection, socket, { now, onFault, streamWindow: STREAM_WINDOW });
  return connection;
}
