import { uuidV7 } from '#base/runtime/ids';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { CallHead, Connection } from '../identified-call.ts';
import { Call, type PipelineDeps } from '../pipeline.ts';
import { type AnswerForm, answerForm, bodyForm } from './answer-form.ts';
import { gatherBody } from './gather-body.ts';
import { writeHttpAnswer } from './http-answer.ts';
import type { HttpExchange } from './http-exchange.ts';
import { checkHead, headOf } from './http-head.ts';
import { findHttpRoute, type RouteMatch } from './http-routes.ts';
import { parseRequestTarget, type RequestTarget } from './request-target.ts';
import { requestFrame } from './transcode.ts';

/** What the access table does not know: a call of no method is refused as any unknown one. */
const NO_METHOD = '/http';

/**
 * The wire stage of an HTTP request: turned into the gRPC call of the same meaning, it takes the very same
 * path, so identity, access, token binding and audit cannot differ between the two doors.
 */
export function serveHttp(
  deps: PipelineDeps,
  connection: Connection,
  load: ConnectionLoad,
  exchange: HttpExchange,
): void {
  const request = readRequest(exchange);
  const { match } = request;
  const requestId = uuidV7();
  const { head, fault } = readHead(connection, requestId, exchange, request);
  const call = new Call(deps, head, load, (answer) => {
    writeHttpAnswer(exchange, { requestId, match, form: request.form, log: deps.log }, answer);
  });
  exchange.onClose(() => call.cancel());
  if (fault !== undefined) {
    call.refuse(fault);
    return;
  }
  if (!call.open() || typeof match !== 'object') return;
  gatherBody(exchange, load, call, (body) => {
    const { shorthand } = bodyForm(exchange.headers['content-type']);
    call.send(requestFrame(match, { query: request.target.query, body, shorthand }));
  });
}

/** A request as far as its target tells. */
interface HttpRequest {
  readonly target: RequestTarget;
  readonly match: RouteMatch | 'other-method' | undefined;
  readonly form: AnswerForm;
  readonly fault: unknown;
}

function readRequest({ method, target: raw, headers }: HttpExchange): HttpRequest {
  const formOf = (target: RequestTarget): AnswerForm =>
    answerForm(target.query, headers.accept, headers['content-type']);
  try {
    const target = parseRequestTarget(raw);
    return { target, match: findHttpRoute(method, target.segments), form: formOf(target), fault: undefined };
  } catch (fault) {
    const target = { segments: [], query: [] };
    return { target, match: undefined, form: formOf(target), fault };
  }
}

/** A fault in the head refuses the call, but what is known of it is still recorded. */
function readHead(
  connection: Connection,
  requestId: string,
  exchange: HttpExchange,
  request: HttpRequest,
): { readonly head: CallHead; readonly fault: unknown } {
  const path = typeof request.match === 'object' ? request.match.route.grpcPath : NO_METHOD;
  try {
    const head = headOf(connection, requestId, path, exchange);
    checkHead(exchange);
    return { head, fault: request.fault };
  } catch (fault) {
    const { authority } = exchange;
    const unread = { namespaceHeaders: [], ambiguous: false, timeoutMs: undefined, metadata: [] };
    return { head: { connection, requestId, path, authority, ...unread }, fault };
  }
}
