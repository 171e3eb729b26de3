import type { Http2Fault } from '#base/http2/connection-watch';
import type { Log } from '#base/runtime/log';
import type { Connection } from './identified-call.ts';
import type { Recorder } from './record.ts';

/** Records why a connection, or a stream of it, was ended: its calls have records of their own. */
export function recordFault(recorder: Recorder, connection: Connection, fault: Http2Fault): void {
  const { id: connectionId, peer, namespaceId } = connection;
  recorder.connection({ connectionId, peer, namespaceId, ...fault });
}

/** A fault of ours in the middle of a connection, which ends it: never the process. */
export function logBug(log: Log, error: unknown, { id: connectionId }: Connection): void {
  log.error('a connection could not be served', { error, connectionId });
}
