import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { readChunks } from '#base/http2/read-chunks';
import { GrpcStatus } from '#base/model/grpc-status';
import { refuse } from '#base/model/refusals';
import type { StreamService } from './grpc-door.ts';
import { readMessages } from './read-messages.ts';
import { StreamReply } from './stream-reply.ts';

const CHECK = '/grpc.health.v1.Health/Check';
/** The gateway as a whole, and the one service that it relays. */
const knownServices: ReadonlySet<string> = new Set(['', 'temporal.api.workflowservice.v1.WorkflowService']);

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const Serving = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
type ServingStatus = (typeof Serving)[keyof typeof Serving];

/** A HealthCheckRequest holds one service name. */
const REQUEST_BYTES_MAX = 4096;
/** How soon a watcher learns of a change. */
const POLL_MS = 1000;

interface Watcher {
  readonly service: string;
  readonly reply: StreamReply;
  /** The connection takes no new calls: a watch must not keep it open. */
  readonly draining: () => boolean;
  told: ServingStatus | undefined;
}

/**
 * grpc.health.v1.Health: `Check` answers once, `Watch` answers at once and at every change. Open to every
 * connection that got through TLS: it tells nothing but whether the gateway serves.
 */
export function answerHealth(healthy: () => boolean): StreamService {
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | undefined;

  const statusOf = (service: string): ServingStatus => {
    if (!knownServices.has(service)) return Serving.SERVICE_UNKNOWN;
    return healthy() ? Serving.SERVING : Serving.NOT_SERVING;
  };
  const poll = (): void => {
    for (const watcher of watchers) {
      if (watcher.draining()) watcher.reply.fail(refuse('draining'));
      if (watcher.reply.isOver) watchers.delete(watcher);
      else tell(watcher, statusOf(watcher.service));
    }
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const watch = (watcher: Watcher): void => {
    watchers.add(watcher);
    tell(watcher, statusOf(watcher.service));
    timer ??= setInterval(poll, POLL_MS).unref();
  };

  return (stream, call, head, gzip) => {
    const reply = new StreamReply(stream, call, head.requestId);
    const limits = { messageBytesMax: REQUEST_BYTES_MAX, messagesMax: 1, gzip };
    readService(
      readMessages(
        readChunks(stream, () => call.cancel()),
        limits,
      ),
    )
      .then((service) => {
        if (head.path !== CHECK) {
          const draining = (): boolean => stream.isDraining;
          return watch({ service, reply, draining, told: undefined });
        }
        const status = statusOf(service);
        if (status === Serving.SERVICE_UNKNOWN) return reply.finish(GrpcStatus.NOT_FOUND, 'unknown service');
        return reply.send(responseOf(status)).then(() => reply.finish(GrpcStatus.OK, ''));
      })
      .catch((error: unknown) => reply.fail(error));
  };
}

function tell(watcher: Watcher, status: ServingStatus): void {
  if (watcher.told === status) return;
  watcher.told = status;
  // A watcher that does not read is owed a few bytes per change at most; it need not be waited for.
  watcher.reply.send(responseOf(status)).catch((error: unknown) => watcher.reply.fail(error));
}

/** HealthCheckRequest.service is field 1. @throws Refusal where there is no request or it is malformed. */
async function readService(messages: AsyncIterable<Uint8Array>): Promise<string> {
  let service: string | undefined;
  for await (const message of messages) service = parseService(message);
  if (service === undefined) throw refuse('frame_malformed', { detail: 'no request' });
  return service;
}

function parseService(message: Uint8Array): string {
  try {
    const reader = new BinaryReader(message);
    let service = '';
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === 2) service = reader.string();
      else reader.skip(type, field);
    }
    return service;
  } catch (cause) {
    throw refuse('message_malformed', { detail: 'HealthCheckRequest', cause });
  }
}

/** HealthCheckResponse.status is field 1. */
function responseOf(status: ServingStatus): Uint8Array {
  return new BinaryWriter().tag(1, 0).int32(status).finish();
}
