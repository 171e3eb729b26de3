import { constantFields } from '#base/http2/nghttp2';
import type { ServerStream } from '#base/http2/server-stream';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';
import type { CallAnswer } from './identified-call.ts';

/** The trailer that every answer carries, so that a caller can tell the platform team which call it was. */
export const REQUEST_ID_TRAILER = 'gatehouse-request-id';

const headersOk = constantFields([
  ':status',
  '200',
  'content-type',
  'application/grpc',
  'grpc-accept-encoding',
  'identity,gzip',
]);

/**
 * Writes an answer on a stream that may have gone away meanwhile: then there is nobody to tell.
 * @param httpStatus of a no; 200 to everybody who speaks gRPC.
 */
export function writeGrpcAnswer(
  stream: ServerStream,
  answer: CallAnswer,
  requestId: string,
  httpStatus: 200 | 415,
): void {
  if (stream.isClosed || stream.isAnswered) return;
  const { frame } = answer;
  if (answer.status !== 0 || frame === undefined) {
    stream.respondOnly(errorFields(answer, requestId, httpStatus));
    return;
  }
  stream.respond(headersOk);
  stream.write(frame);
  stream.end(['grpc-status', '0', REQUEST_ID_TRAILER, requestId]);
}

function errorFields(answer: CallAnswer, requestId: string, httpStatus: number): string[] {
  const fields = [
    ':status',
    String(httpStatus),
    'content-type',
    'application/grpc',
    'grpc-status',
    String(answer.status),
    'grpc-message',
    encodeGrpcMessage(answer.message),
    REQUEST_ID_TRAILER,
    requestId,
  ];
  if (answer.details !== undefined) fields.push('grpc-status-details-bin', answer.details);
  fields.push(...answer.headers);
  return fields;
}
