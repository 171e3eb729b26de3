import { GrpcStatus } from '#base/model/grpc-status';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import type { EngineReply } from './relay.ts';

/** The engine masks its own bugs with this text, which SDKs and people know. */
const ENGINE_MASK = /^something went wrong, please retry \([0-9a-f]{1,16}\)$/;
/** Addresses, source files, stacks and stores of the platform: nothing that an ordinary answer of the engine holds. */
const INTERNALS =
  /\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:\d+|\[[0-9a-f:]+\]:\d+|\.go:\d+|goroutine \d+|transport: |dial tcp|SQL logic error|SQLSTATE|no such (?:column|table)|operation failed\. ?(?:Error)?:/g;
/** What could be a namespace's id (labels with dots between them), or the id of one of its incarnations. */
// Bounded, so that a long run of letters costs no more than its length.
const DOTTED = /[a-z0-9-]{1,64}(?:\.[a-z0-9-]{1,64})+/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const MESSAGE_CHARACTERS_MAX = 8192;
const DETAILS_CHARACTERS_MAX = 65_536;
/** A query that failed carries the words of the tenant's own Worker, stack trace and all. */
const WORKERS_WORDS = 'temporal.api.errordetails.v1.QueryFailedFailure';

/** For whom an error is, and what he said himself. */
export interface ErrorReader {
  readonly namespace: NamespaceRecord;
  readonly snapshot: DirectorySnapshot;
  /** The caller's own message: an id in it that comes back in the error's text tells him nothing. */
  readonly request: Uint8Array;
}

/**
 * An error of the engine as the caller may see it (T-039). Ordinary texts and details pass unchanged, since
 * SDKs decide by them; internals, other tenants' names and refusals of the gateway's own token do not.
 * @throws Refusal `engine_refused_gateway` where the engine did not accept our token: a Worker that is told
 *   PERMISSION_DENIED gives up for good.
 */
export function maskError(reply: EngineReply, reader: ErrorReader): EngineReply {
  if (reply.status === GrpcStatus.PERMISSION_DENIED || reply.status === GrpcStatus.UNAUTHENTICATED) {
    throw refuse('engine_refused_gateway', { detail: reply.message });
  }
  if (isSafe(reply, reader)) return reply;
  const code = reply.status === GrpcStatus.UNAVAILABLE ? 'engine_unavailable' : 'internal';
  throw refuse(code, {
    detail: `masked answer of the engine: ${reply.status} ${reply.message.slice(0, 500)}`,
  });
}

function isSafe(reply: EngineReply, reader: ErrorReader): boolean {
  if ((reply.details?.length ?? 0) > DETAILS_CHARACTERS_MAX) return false;
  const details = reply.details === undefined ? '' : Buffer.from(reply.details, 'base64').toString('latin1');
  if (reply.status === GrpcStatus.INVALID_ARGUMENT && details.includes(WORKERS_WORDS)) return true;
  const bug = reply.status === GrpcStatus.INTERNAL || reply.status === GrpcStatus.UNKNOWN;
  if (bug && !ENGINE_MASK.test(reply.message)) return false;
  if (reply.message.length > MESSAGE_CHARACTERS_MAX) return false;
  const text = `${reply.message}\n${details}`;
  const internals = text.match(INTERNALS) ?? [];
  // Where the platform is at fault its words are not the caller's, even where they are the same.
  if (reply.status === GrpcStatus.UNAVAILABLE && internals.length > 0) return false;
  return !internals.some(isNews(reader)) && !namesAnother(text, reader);
}

/** The caller's own words are no news to him: he may call a workflow `10.0.0.1:80`, or like a namespace. */
function isNews(reader: ErrorReader): (found: string) => boolean {
  return (found) =>
    Buffer.from(reader.request.buffer, reader.request.byteOffset, reader.request.length).indexOf(found) < 0;
}

/** Does the text hold the id, the incarnation or the engine's id of another namespace? */
function namesAnother(text: string, reader: ErrorReader): boolean {
  const { namespace, snapshot } = reader;
  const news = isNews(reader);
  // Candidates first: looking for ten thousand names in one text would cost more than the call.
  for (const dotted of text.match(DOTTED) ?? []) {
    const labels = dotted.split('.');
    for (let index = 1; index < labels.length; index += 1) {
      const candidate = `${labels[index - 1]}.${labels[index]}`;
      if (candidate !== namespace.id && snapshot.namespaces.has(candidate) && news(candidate)) return true;
    }
  }
  const uuids = text.match(UUID) ?? [];
  if (uuids.length === 0) return false;
  const known = incarnationsOf(snapshot);
  return uuids.some((uuid) => (known.get(uuid) ?? namespace.id) !== namespace.id && news(uuid));
}

const incarnations = new WeakMap<DirectorySnapshot, ReadonlyMap<string, string>>();

/** Every id that stands for a namespace, once per snapshot. */
function incarnationsOf(snapshot: DirectorySnapshot): ReadonlyMap<string, string> {
  let known = incarnations.get(snapshot);
  if (known === undefined) {
    const ids = new Map<string, string>();
    for (const { id, uuid, engineId } of snapshot.namespaces.values()) {
      ids.set(uuid, id);
      if (engineId !== null) ids.set(engineId, id);
    }
    known = ids;
    incarnations.set(snapshot, known);
  }
  return known;
}
