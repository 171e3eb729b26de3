import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { HttpExchange } from './http-exchange.ts';

/** A caller that goes on sending after its answer is cut off here (RFC 9113 section 8.1). */
const DISCARD_BYTES_MAX = 65_536;

/** A request on an HTTP/2 stream. */
export function http2Exchange(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): HttpExchange {
  stream.on('error', () => undefined);
  return {
    method: headers[':method'] ?? '',
    target: headers[':path'] ?? '',
    authority: headers[':authority'] ?? headers.host ?? '',
    headers,
    rawHeaders,
    body: stream,
    // The session's own limit of streams refuses them before they get here.
    overload: false,
    expectBody: () => {
      if (headers.expect === '100-continue' && !stream.headersSent)
        stream.additionalHeaders({ ':status': 100 });
    },
    answer: (status, answerHeaders, text) => {
      if (stream.destroyed || stream.closed || stream.headersSent) return;
      const endStream = headers[':method'] === 'HEAD';
      stream.respond({ ':status': status, ...answerHeaders }, { endStream });
      if (!endStream) stream.end(text);
      discardBody(stream);
    },
    onClose: (listener) => stream.on('close', listener),
  };
}

function discardBody(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  let left = DISCARD_BYTES_MAX;
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0 && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
  stream.resume();
}
