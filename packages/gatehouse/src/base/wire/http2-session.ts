import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';

/** Calls and polls at once on one connection; SDK Workers park a few dozen polls on theirs. */
const STREAMS_MAX = 1000;
/** threats.md T-026: at most this much of headers is ever held. */
const HEADER_BYTES_MAX = 64 * 1024;
const HEADER_PAIRS_MAX = 128;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * 1024 * 1024;

/**
 * Speaks HTTP/2 on a connection whose TLS is done. The limits are no looser than Envoy's (threats.md
 * section 5); the runtime answers what passes them with GOAWAY.
 */
export function startHttp2Session(socket: TLSSocket): ServerHttp2Session {
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
      maxConcurrentStreams: STREAMS_MAX,
      maxHeaderListSize: HEADER_BYTES_MAX,
    },
  });
  session.setLocalWindowSize(CONNECTION_WINDOW);
  return session;
}
