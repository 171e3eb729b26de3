import type { Http2Fault } from '#base/wire/http2-watch';
import type { Connection } from './identified-call.ts';
import type { Recorder } from './record.ts';

/** Records why a connection, or a stream of it, was ended: its calls have records of their own. */
export function recordFault(recorder: Recorder, connection: Connection, fault: Http2Fault): void {
  const { id: connectionId, peer, namespaceId } = connection;
  recorder.connection({ connectionId, peer, namespaceId, ...fault });
}
