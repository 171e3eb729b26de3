import type { DirectorySnapshot } from '#base/model/namespace-record';
import { GrpcStatus } from '#base/model/grpc-status';
import { refuse } from '#base/model/refusals';
import type { EngineReply } from './relay.ts';

/** The engine masks its own bugs with this text, which SDKs and people know. */
const ENGINE_MASK = /^something went wrong, please retry \([0-9a-f]{1,16}\)$/;
/** Addresses, source files and stacks of the platform: nothing that an ordinary answer of the engine holds. */
const INTERNALS = /\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:\d+|\[[0-9a-f:]+\]:\d+|\.go:\d+|goroutine \d+|transport: |dial tcp/;
const MESSAGE_CHARACTERS_MAX = 8192;
const DETAILS_CHARACTERS_MAX = 65_536;

/**
 * An error of the engine as the caller may see it (T-039). Ordinary texts and details pass unchanged, since
 * SDKs decide by them; internals, other tenants' names and refusals of the gateway's own token do not.
 * @throws Refusal `engine_refused_gateway` where the engine did not accept our token: a Worker that is told
 *   PERMISSION_DENIED gives up for good.
 */
export function maskError(reply: EngineReply, namespaceId: string, snapshot: DirectorySnapshot): EngineReply {
  if (reply.status === GrpcStatus.PERMISSION_DENIED || reply.status === GrpcStatus.UNAUTHENTICATED) {
    throw refuse('engine_refused_gateway', { detail: reply.message });
  }
  const bug = reply.status === GrpcStatus.INTERNAL || reply.status === GrpcStatus.UNKNOWN;
  const unsafe =
    (bug && !ENGINE_MASK.test(reply.message)) ||
    reply.message.length > MESSAGE_CHARACTERS_MAX ||
    (reply.details?.length ?? 0) > DETAILS_CHARACTERS_MAX ||
    INTERNALS.test(reply.message) ||
    namesAnother(reply, namespaceId, snapshot);
  if (!unsafe) return reply;
  const code = reply.status === GrpcStatus.UNAVAILABLE ? 'engine_unavailable' : 'internal';
  throw refuse(code, { detail: `masked answer of the engine: ${reply.status} ${reply.message.slice(0, 500)}` });
}

/** Does the text or its details hold the id, the incarnation or the engine's id of another namespace? */
function namesAnother(reply: EngineReply, namespaceId: string, snapshot: DirectorySnapshot): boolean {
  const details = reply.details === undefined ? '' : Buffer.from(reply.details, 'base64').toString('latin1');
  const text = `${reply.message}\n${details}`;
  // Candidates first: looking for ten thousand names in one text would cost more than the call.
  for (const candidate of text.match(/[a-z][a-z0-9-]{1,38}\.[a-z0-9]{5,32}/g) ?? []) {
    if (candidate !== namespaceId && snapshot.namespaces.has(candidate)) return true;
  }
  return false;
}
