import { readChunks } from '#base/http2/read-chunks';
import { GrpcStatus } from '#base/model/grpc-status';
import { refuse } from '#base/model/refusals';
import type { StreamService } from './grpc-door.ts';
import { readMessages } from './read-messages.ts';
import { answerReflection } from './reflection/answer-reflection.ts';
import { openCatalogue, type ReflectionCatalogue } from './reflection/catalogue.ts';
import { StreamReply } from './stream-reply.ts';

export interface ReflectionSettings {
  readonly nexusEnabled: boolean;
}

/** A client asks a handful of questions; each answer is at most a few hundred KiB, and only one is held. */
const MESSAGES_MAX = 1000;
const MESSAGE_BYTES_MAX = 64 * 1024;

/**
 * grpc.reflection.v1 and v1alpha, which are the same on the wire. For an admitted caller: it shows the
 * services and methods that this caller can call, and nothing of what is closed to tenants (T-036).
 */
export function serveReflection(settings: ReflectionSettings): StreamService {
  let catalogue: ReflectionCatalogue | undefined;
  return (stream, call, head, gzip) => {
    const reply = new StreamReply(stream, call, head.requestId);
    // Descriptors are read on first use: most gateways are never asked.
    catalogue ??= openCatalogue(settings);
    const limits = { messageBytesMax: MESSAGE_BYTES_MAX, messagesMax: MESSAGES_MAX, gzip };
    const chunks = readChunks(stream, () => call.cancel());
    answerAll(readMessages(chunks, limits), catalogue, reply).catch((error: unknown) => reply.fail(error));
  };
}

async function answerAll(
  messages: AsyncIterable<Uint8Array>,
  catalogue: ReflectionCatalogue,
  reply: StreamReply,
): Promise<void> {
  const sent = new Set<string>();
  for await (const message of messages) {
    if (reply.isOver) return;
    await reply.send(answer(catalogue, message, sent));
  }
  reply.finish(GrpcStatus.OK, '');
}

function answer(catalogue: ReflectionCatalogue, message: Uint8Array, sent: Set<string>): Uint8Array {
  const answered = answerReflection(catalogue, message, sent);
  if (answered === undefined) throw refuse('message_malformed', { publicDetail: 'ServerReflectionRequest' });
  return answered;
}
