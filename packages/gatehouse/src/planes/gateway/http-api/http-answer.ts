import { wholeFrame } from '#base/model/frame';
import { GrpcStatus } from '#base/model/grpc-status';
import { refuse } from '#base/model/refusals';
import type { Log } from '#base/runtime/log';
import { PREFIX_BYTES } from '#base/wire/grpc-message';
import { REQUEST_ID_TRAILER } from '../grpc-answer.ts';
import type { CallAnswer } from '../identified-call.ts';
import type { AnswerForm } from './answer-form.ts';
import { errorText } from './error-text.ts';
import type { HttpExchange } from './http-exchange.ts';
import type { RouteMatch } from './http-routes.ts';
import { httpStatusOf } from './http-status.ts';
import { replyText } from './transcode.ts';

/** What the answer to a request is written by. */
export interface HttpAnswerFacts {
  readonly requestId: string;
  readonly match: RouteMatch | 'other-method' | undefined;
  readonly form: AnswerForm;
  readonly log: Log;
}

/** What the engine's API says where there is no such path, or not under this HTTP method. */
const notFound = { httpStatus: 404, status: GrpcStatus.NOT_FOUND, message: 'Not Found' };
const otherMethod = { httpStatus: 501, status: GrpcStatus.UNIMPLEMENTED, message: 'Method Not Allowed' };

const fixedHeaders = Object.freeze({
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

/** Writes a call's answer as HTTP: the reply's JSON, or google.rpc.Status where it is a no. */
export function writeHttpAnswer(exchange: HttpExchange, facts: HttpAnswerFacts, answer: CallAnswer): void {
  const headers: Record<string, string> = { ...fixedHeaders, [REQUEST_ID_TRAILER]: facts.requestId };
  // grpc-gateway's prefix for metadata of the call.
  for (let index = 0; index + 1 < answer.headers.length; index += 2) {
    headers[`grpc-metadata-${answer.headers[index]}`] = answer.headers[index + 1] ?? '';
  }
  if (answer.retryAfterSeconds !== undefined) headers['retry-after'] = String(answer.retryAfterSeconds);
  const { httpStatus, text } = contentOf(facts, answer);
  headers['content-length'] = String(Buffer.byteLength(text));
  exchange.answer(httpStatus, headers, text);
}

interface Content {
  readonly httpStatus: number;
  readonly text: string;
}

function contentOf(facts: HttpAnswerFacts, answer: CallAnswer): Content {
  const { match, form } = facts;
  if (typeof match !== 'object' && answer.status === GrpcStatus.UNIMPLEMENTED) {
    const { httpStatus, ...said } = match === undefined ? notFound : otherMethod;
    return { httpStatus, text: errorText({ ...said, details: undefined }, form) };
  }
  if (answer.status !== GrpcStatus.OK || answer.frame === undefined || typeof match !== 'object') {
    return { httpStatus: answer.httpStatus ?? httpStatusOf(answer.status), text: errorText(answer, form) };
  }
  try {
    const message = wholeFrame(answer.frame).subarray(PREFIX_BYTES);
    return { httpStatus: 200, text: replyText(match.route.response, message, form) };
  } catch (error) {
    // The call was made and is recorded; only its answer has no JSON form, which is a bug of ours.
    facts.log.error('a reply could not be written as JSON', { error, requestId: facts.requestId });
    const { grpcStatus: status, message } = refuse('internal');
    return { httpStatus: 500, text: errorText({ status, message, details: undefined }, form) };
  }
}
