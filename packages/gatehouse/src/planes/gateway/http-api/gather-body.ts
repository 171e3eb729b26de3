import { refuse } from '#base/model/refusals';
import { REQUEST_BYTES_MAX } from '#base/wire/grpc-message';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { Call } from '../pipeline.ts';
import type { HttpExchange } from './http-exchange.ts';

/** threats.md T-028: a body that has not come by then is not waited for. */
const BODY_TIMEOUT_MS = 30_000;

/**
 * Gathers the body of a request that may be made, within the bounds, and hands it on. What goes wrong
 * refuses the call.
 */
export function gatherBody(
  exchange: HttpExchange,
  load: ConnectionLoad,
  call: Call,
  whole: (body: Buffer) => void,
): void {
  const announced = Number(exchange.headers['content-length'] ?? 0);
  if (announced > REQUEST_BYTES_MAX) {
    call.refuse(refuse('message_too_large'));
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => {
    call.refuse(refuse('deadline_exceeded', { detail: 'the body did not come in time' }));
  }, BODY_TIMEOUT_MS).unref();
  const { body } = exchange;
  let counted = true;
  exchange.onClose(() => {
    clearTimeout(timer);
    if (counted) load.releaseRequest(size);
    counted = false;
  });
  body.on('data', (chunk: Buffer) => {
    if (call.isOver || !counted) return;
    size += chunk.length;
    const over = load.holdRequest(chunk.length);
    chunks.push(chunk);
    if (size > REQUEST_BYTES_MAX) call.refuse(refuse('message_too_large'));
    else if (over !== undefined) call.refuse(refuse(over));
  });
  body.on('end', () => {
    clearTimeout(timer);
    if (call.isOver) return;
    try {
      whole(Buffer.concat(chunks, size));
    } catch (error) {
      call.refuse(error);
    }
  });
  exchange.expectBody();
}
