import { fromBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { Role } from '#base/proto/role';
import { faultNames, MessageScanner } from '#base/proto/scan-message';
import { cutMention, type Edit, GRPC_PREFIX_BYTES, spliceFrame } from '#base/proto/splice-message';
import { methodTables, requestTables, responseTables } from '#base/proto/wire-tables';
import { type Direction, messageRoles } from './field-role.ts';
import { lacksMapValue, repeatsMapKey } from './map-entries.ts';
import { mentionKey, scannedMentions } from './scanned-mentions.ts';
import { type WalkedMention, walkMentions } from './walk-mentions.ts';

/** What a stranger sends, or an engine answers. */
export interface ScanInput {
  readonly path: string;
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** What a reader of the whole message says is in it; `error` where it refuses the message. */
export interface Seen {
  readonly error?: string | undefined;
  /** `service/method` and the type of the message, as the reader found them. */
  readonly method?: string | undefined;
  readonly type?: string | undefined;
  /** `role:number:hex`, or `role:number:message`. */
  readonly mentions: readonly string[];
  /** Fields that are not in the schema: `number:hex`. */
  readonly unknown: readonly string[];
}

/** What the scanner says of an input that it accepts. */
export interface Accepted extends Seen {
  /** The message as it goes on: fields that only newer clients know are cut out. */
  readonly sent: Uint8Array;
  /** Of two entries of a map with the same key the scanner sees both, a decoder the last one. */
  repeatsMapKey(): boolean;
  /** Where an entry of a map has no value, a decoder makes up an empty one. */
  lacksMapValue(): boolean;
}

const scanners = {
  request: new MessageScanner(requestTables, { reply: false }),
  response: new MessageScanner(responseTables, { reply: true }),
};

/** Replies are not looked into everywhere; this one would. */
const strictReplies = new MessageScanner(responseTables, { reply: false });

/** Asks the scanner. @returns the name of the fault where it refuses. */
export function askScanner({ path, direction, bytes }: ScanInput): Accepted | string {
  const method = methodTables.get(path);
  if (method === undefined) return 'unknown method';
  const scanner = scanners[direction];
  const table = method[direction];
  if (!scanner.scan(table, bytes)) return faultNames[scanner.fault] ?? 'unnamed fault';
  const found = scannedMentions(scanner);
  const edits: Edit[] = [];
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    if (scanner.role(mention) === Role.newer) edits.push(cutMention(scanner, mention));
  }
  const sent = spliceFrame(scanner, edits).subarray(GRPC_PREFIX_BYTES);
  return {
    method: `${method.service}/${method.name}`,
    type: table.name,
    ...split(found),
    sent,
    repeatsMapKey: () => repeatsMapKey(messageType(table.name), bytes),
    lacksMapValue: () => lacksMapValue(messageType(table.name), bytes),
  };
}

/** Asks a decoder that shares nothing with the scanner but the schema and the overlay. */
export function askDecoder(path: string, direction: Direction, bytes: Uint8Array): Seen {
  const method = methodTables.get(path);
  if (method === undefined) return { error: 'unknown method', mentions: [], unknown: [] };
  const desc = messageType(method[direction].name);
  try {
    // Deeper than any scanner goes: its own limit must be the scanner's, not the decoder's.
    const message = fromBinary(desc, bytes, { recursionLimit: 10_000 });
    return split(walkMentions(direction, desc, message).mentions);
  } catch (error) {
    return { error: String(error), mentions: [], unknown: [] };
  }
}

function split(found: readonly WalkedMention[]): { mentions: string[]; unknown: string[] } {
  const isNewer = ({ role }: WalkedMention): boolean => role === Role.newer;
  return {
    mentions: found.filter((mention) => !isNewer(mention)).map(mentionKey),
    unknown: found.filter(isNewer).map(({ number, value }) => `${number}:${value}`),
  };
}

/** Roles of the values of maps. */
const ofMapValues: ReadonlySet<number> = new Set([
  Role.payload,
  Role.memoPayload,
  Role.headerPayload,
  Role.attributePayload,
]);

/** Compared without their value, so that an empty text is not left out: a decoder does not see it. */
const withoutValue: ReadonlySet<number> = new Set([Role.forbidden, Role.masked]);
/** What is never below a map, so that the scanner and a decoder see the same even where keys are repeated. */
const neverInMap: ReadonlySet<number> = new Set([
  Role.namespace,
  Role.namespaceId,
  Role.workflowTaskToken,
  Role.activityTaskToken,
  Role.nexusTaskToken,
  Role.pageToken,
  Role.longPollToken,
]);

const roleIn = (key: string): number => Number(key.slice(0, key.indexOf(':')));
/** An empty text is the same as none, for every reader of this schema. */
const isEmpty = (key: string): boolean => key.endsWith(':');
const normal = (key: string): string =>
  messageRoles.has(roleIn(key)) ? `${key.slice(0, key.lastIndexOf(':'))}:message` : key;

/** Elements of `from` beyond those of `take`, each counted. */
function beyond(from: readonly string[], take: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const item of take) counts.set(item, (counts.get(item) ?? 0) + 1);
  return from.filter((item) => {
    const count = counts.get(item) ?? 0;
    if (count > 0) counts.set(item, count - 1);
    return count === 0;
  });
}

/**
 * The property: on what the scanner accepts, a decoder finds the same mentions, and nothing that we would not cut.
 * @param seen what the decoder says of the input itself.
 * @returns what differs, or undefined.
 */
export function difference(direction: Direction, scanned: Accepted, seen: Seen): string | undefined {
  if (seen.error !== undefined) {
    // The engine's replies are taken as they are, where nothing depends on them.
    return direction === 'response' ? undefined : `the decoder refuses: ${seen.error}`;
  }
  if (seen.method !== undefined && seen.method !== scanned.method) return `method ${seen.method}`;
  if (seen.type !== undefined && seen.type !== scanned.type) return `type ${seen.type}`;
  const ours = scanned.mentions.filter((key) => !isEmpty(key)).map(normal);
  const theirs = seen.mentions.filter((key) => !isEmpty(key)).map(normal);
  const missed = beyond(theirs, ours);
  const absent = missed.length > 0 && missed.every((key) => ofMapValues.has(roleIn(key)));
  if (missed.length > 0 && !(absent && scanned.lacksMapValue())) return `the scanner missed ${missed}`;
  const invented = beyond(ours, theirs).filter((key) => !withoutValue.has(roleIn(key)));
  const certain = invented.filter((key) => neverInMap.has(roleIn(key)));
  if (certain.length > 0) return `only the scanner saw ${certain}`;
  if (invented.length > 0 && !scanned.repeatsMapKey()) return `only the scanner saw ${invented}`;
  const unknown = direction === 'response' ? [] : beyond(seen.unknown, scanned.unknown);
  return unknown.length > 0 ? `the scanner let through the unknown ${unknown}` : undefined;
}

/** The property once more for what goes on to the engine: the same mentions, and no unknown field at all. */
export function differenceOfSent(direction: Direction, scanned: Accepted, seen: Seen): string | undefined {
  const fault = difference(direction, { ...scanned, unknown: [] }, seen);
  return fault === undefined ? undefined : `in what is sent: ${fault}`;
}

/** The whole check in one process: what a fuzzer calls. @returns what differs, or undefined. */
export function checkInProcess(input: ScanInput, scanned: Accepted): string | undefined {
  const { path, direction } = input;
  // This decoder does not look at wire types, nor whether a field ends inside its message: in the parts of a reply
  // that the scanner steps over, it reads what is not there. Go's decoder is asked about those.
  const table = methodTables.get(path)?.response;
  if (direction === 'response' && table !== undefined && !strictReplies.scan(table, input.bytes))
    return undefined;
  return (
    difference(direction, scanned, askDecoder(path, direction, input.bytes)) ??
    differenceOfSent(direction, scanned, askDecoder(path, direction, scanned.sent))
  );
}
