import { constants, type ServerHttp2Stream } from 'node:http2';
import { endWithFrame } from '#base/wire/end-with-frame';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';
import type { CallAnswer } from './identified-call.ts';

/** The trailer that every answer carries, so that a caller can tell the platform team which call it was. */
export const REQUEST_ID_TRAILER = 'gatehouse-request-id';

// A list costs the runtime less than an object. No date: it would be put together, sent and read for nobody.
const HEADERS_OK: readonly string[] = Object.freeze([
  ':status',
  '200',
  'content-type',
  'application/grpc',
  'grpc-accept-encoding',
  'identity,gzip',
]);
const THEN_TRAILERS = Object.freeze({ waitForTrailers: true, sendDate: false });

/**
 * Writes an answer on a stream that may have gone away meanwhile: then there is nobody to tell.
 * @param httpStatus of a no; 200 to everybody who speaks gRPC.
 */
export function writeGrpcAnswer(
  stream: ServerHttp2Stream,
  answer: CallAnswer,
  requestId: string,
  httpStatus: 200 | 415,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const { frame } = answer;
  if (answer.status !== 0 || frame === undefined)
    return writeGrpcError(stream, answer, requestId, httpStatus);
  stream.respond(HEADERS_OK, THEN_TRAILERS);
  stream.on('wantTrailers', () => {
    // The stream may be gone between the last byte and this event.
    if (!stream.destroyed) stream.sendTrailers({ 'grpc-status': '0', [REQUEST_ID_TRAILER]: requestId });
  });
  endWithFrame(stream, frame);
}

function writeGrpcError(
  stream: ServerHttp2Stream,
  answer: CallAnswer,
  requestId: string,
  httpStatus: number,
): void {
  const headers: Record<string, string | number> = {
    ':status': httpStatus,
    'content-type': 'application/grpc',
    'grpc-status': String(answer.status),
    'grpc-message': encodeGrpcMessage(answer.message),
    [REQUEST_ID_TRAILER]: requestId,
  };
  if (answer.details !== undefined) headers['grpc-status-details-bin'] = answer.details;
  for (let index = 0; index + 1 < answer.headers.length; index += 2) {
    headers[answer.headers[index] ?? ''] = answer.headers[index + 1] ?? '';
  }
  stream.respond(headers, { endStream: true });
  stopBody(stream);
}

/** The caller may still be sending: a little is read away, more is cut off (RFC 9113 section 8.1). */
function stopBody(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  let left = 65_536;
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0 && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
  stream.resume();
}
