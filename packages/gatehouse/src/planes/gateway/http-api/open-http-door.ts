import type { TLSSocket } from 'node:tls';
import { startHttp2Session } from '#base/wire/http2-session';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { HeldSession } from '../connections.ts';
import type { Connection } from '../identified-call.ts';
import type { PipelineDeps } from '../pipeline.ts';
import { recordFault } from '../record-fault.ts';
import { serveHttp } from './http-door.ts';
import type { HttpExchange } from './http-exchange.ts';
import { Http1Server } from './http1-server.ts';
import { http2Exchange } from './http2-exchange.ts';

export interface HttpDoor {
  /** Speaks HTTP on a connection whose TLS is done: version 2 where that was agreed, else 1.1. */
  accept(socket: TLSSocket, connection: Connection, load: ConnectionLoad): HeldSession;
  close(): void;
}

/** The HTTPS endpoint of the namespaces. */
export function openHttpDoor(deps: PipelineDeps, streamsMax: () => number): HttpDoor {
  const http1 = new Http1Server();
  const serve = (connection: Connection, load: ConnectionLoad, exchange: HttpExchange): void => {
    try {
      serveHttp(deps, connection, load, exchange);
    } catch (error) {
      // A bug of ours: the call dies and the process lives.
      deps.log.error('an HTTP request could not be served', { error, connectionId: connection.id });
      exchange.answer(500, {}, '');
    }
  };
  return {
    accept(socket, connection, load) {
      if (socket.alpnProtocol !== 'h2') {
        return http1.accept(socket, (exchange) => serve(connection, load, exchange));
      }
      const session = startHttp2Session(socket, {
        streamsMax: streamsMax(),
        now: () => deps.recorder.now(),
        onFault: (fault) => recordFault(deps.recorder, connection, fault),
      });
      session.on('error', () => undefined);
      session.on('stream', (stream, headers, _flags, rawHeaders: readonly string[]) => {
        serve(connection, load, http2Exchange(stream, headers, rawHeaders));
      });
      return session;
    },
    close: () => http1.close(),
  };
}
