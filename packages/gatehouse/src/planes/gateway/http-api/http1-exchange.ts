import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpExchange } from './http-exchange.ts';

/** Of a body that is not wanted, this much and this long is read away before the answer: then it is cut off. */
const DISCARD_BYTES_MAX = 16 * 1024 * 1024;
const DISCARD_MS = 2000;

/** What the connection knows of itself. */
export interface Http1State {
  /** It takes no request after this one. */
  readonly closing: () => boolean;
  readonly overload: boolean;
  readonly onClose: HttpExchange['onClose'];
}

/** A request on an HTTP/1.1 connection. */
export function http1Exchange(req: IncomingMessage, res: ServerResponse, state: Http1State): HttpExchange {
  req.on('error', () => undefined);
  res.on('error', () => undefined);
  const write = (status: number, headers: Readonly<Record<string, string>>, text: string): void => {
    if (res.destroyed || res.headersSent) return;
    // What is left of the body would be read as the next request.
    if (state.closing() || !req.complete) res.setHeader('connection', 'close');
    res.writeHead(status, { ...headers });
    res.end(text);
  };
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    authority: req.headers.host ?? '',
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    body: req,
    overload: state.overload,
    expectBody: () => {
      if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
    },
    answer: (status, headers, text) => {
      // A client that waits for 100 has sent nothing: the answer is all it needs.
      const waits = req.headers.expect !== undefined && !res.writableEnded && req.readableFlowing !== true;
      if (req.complete || waits) return write(status, headers, text);
      return discardBody(req, () => write(status, headers, text));
    },
    onClose: state.onClose,
  };
}

/** Many clients read no answer before they have sent all: closing on them would look like a broken line. */
function discardBody(req: IncomingMessage, done: () => void): void {
  let left = DISCARD_BYTES_MAX;
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    done();
  };
  const timer = setTimeout(finish, DISCARD_MS).unref();
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) finish();
  });
  req.on('end', finish);
  req.on('close', finish);
  req.resume();
}
