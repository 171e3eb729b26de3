import type { TLSSocket } from 'node:tls';
import { serveHttp2 } from '#base/http2/serve-http2';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { HeldConnection } from '../connections.ts';
import type { Connection } from '../identified-call.ts';
import type { PipelineDeps } from '../pipeline.ts';
import { logBug, recordFault } from '../record-fault.ts';
import { serveHttp } from './http-door.ts';
import type { HttpExchange } from './http-exchange.ts';
import { Http1Server } from './http1-server.ts';
import { http2Exchange } from './http2-exchange.ts';

export interface HttpDoor {
  /** Speaks HTTP on a connection whose TLS is done: version 2 where that was agreed, else 1.1. */
  accept(socket: TLSSocket, connection: Connection, load: ConnectionLoad): HeldConnection;
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
      return serveHttp2(socket, {
        streamsMax: streamsMax(),
        now: () => deps.recorder.now(),
        onFault: (fault) => recordFault(deps.recorder, connection, fault),
        onStream: (stream) => serve(connection, load, http2Exchange(stream)),
        onBug: (error) => logBug(deps.log, error, connection),
      });
    },
    close: () => http1.close(),
  };
}
