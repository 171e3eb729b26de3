import { Readable } from 'node:stream';
import { fieldsByName } from '#base/http2/header-fields';
import type { ServerStream } from '#base/http2/server-stream';
import { discard } from '../discard.ts';
import type { HttpExchange } from './http-exchange.ts';

/** A request on an HTTP/2 stream. */
export function http2Exchange(stream: ServerStream): HttpExchange {
  const headers = fieldsByName(stream.fields);
  const closed: (() => void)[] = [];
  const body = new Readable({ read: () => undefined });
  let discarded = 0;
  stream.read({
    data: (chunk) => {
      if (!stream.isAnswered) {
        body.push(chunk);
        return;
      }
      discarded = discard(stream, chunk.length, discarded);
    },
    end: () => body.push(null),
    closed: () => {
      for (const listener of closed) listener();
    },
  });
  return {
    method: headers[':method'] ?? '',
    target: headers[':path'] ?? '',
    authority: headers[':authority'] ?? headers['host'] ?? '',
    headers,
    rawHeaders: stream.fields,
    body,
    // The connection's own limit of streams refuses them before they get here.
    overload: false,
    expectBody: () => {
      if (headers['expect'] === '100-continue') stream.inform([':status', '100']);
    },
    answer: (status, answerHeaders, text) => {
      const fields = [':status', String(status), 'date', new Date().toUTCString()];
      for (const [name, value] of Object.entries(answerHeaders)) fields.push(name.toLowerCase(), value);
      if (headers[':method'] === 'HEAD' || text === '') return stream.respondOnly(fields);
      stream.respond(fields);
      stream.write(Buffer.from(text));
      return stream.end();
    },
    onClose: (listener) => closed.push(listener),
  };
}
