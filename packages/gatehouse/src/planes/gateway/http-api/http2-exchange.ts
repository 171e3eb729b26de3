import { Readable } from 'node:stream';
import { fieldsByName } from '#base/http2/header-fields';
import type { ServerStream } from '#base/http2/server-stream';
import { discard } from '../discard.ts';
import type { HttpExchange } from './http-exchange.ts';

/** A request on an HTTP/2 stream. */
export function http2Exchange(stream: ServerStream): HttpExchange {
  const headers = fieldsByName(stream.fields);
  const closed: (() => void)[] = [];
  let unread = 0;
  const consume = (): void => {
    stream.consume(unread);
    unread = 0;
  };
  // What nobody has asked for stays within the stream's window.
  const body = new Readable({ read: consume });
  let discarded = 0;
  stream.pace();
  stream.read({
    data: (chunk) => {
      unread += chunk.length;
      if (!stream.isAnswered) {
        body.push(chunk);
        return;
      }
      consume();
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
      if (headers[':method'] === 'HEAD' || text === '') {
        stream.respondOnly(fields);
      } else {
        stream.respond(fields);
        stream.write(Buffer.from(text));
        stream.end();
      }
      consume();
    },
    onClose: (listener) => closed.push(listener),
  };
}
