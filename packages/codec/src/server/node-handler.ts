import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answering, CodecRequest } from './answering.ts';

/** So long one who still sends may go on, to read why nobody listens: cut off at once, he would see a reset. */
const LINGER_MS = 1000;

/** For `node:http` and what is built on it. */
export function nodeHandler(answering: Answering): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    // One who goes away is no fault of ours.
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    void respond(answering, req, res).catch(() => res.destroy());
  };
}

async function respond(answering: Answering, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { status, headers, body } = await answering(codecRequest(req));
  const bytes = Buffer.from(body, 'utf8');
  const isRead = req.complete;
  res.writeHead(status, {
    ...headers,
    // 204 has no body, and must not say so (RFC 9110, 8.6).
    ...(status === 204 ? {} : { 'Content-Length': bytes.length }),
    ...(isRead ? {} : { Connection: 'close' }),
  });
  if (bytes.length > 0) res.write(bytes);
  if (!isRead) await linger(req);
  res.end();
}

function codecRequest(req: IncomingMessage): CodecRequest {
  const [path = ''] = (req.url ?? '').split('?', 1);
  return {
    method: req.method ?? '',
    path,
    header(name) {
      const value = req.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    body: {
      // Leaving the loop early must not destroy the socket: the answer still goes out on it.
      [Symbol.asyncIterator]: () => req.iterator({ destroyOnReturn: false }),
    },
  };
}

/** Reads on and throws away, until the body ends or the time is up. */
async function linger(req: IncomingMessage): Promise<void> {
  if (req.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    req
      .once('end', done)
      .once('close', done)
      .on('data', () => undefined)
      .resume();
  });
}
