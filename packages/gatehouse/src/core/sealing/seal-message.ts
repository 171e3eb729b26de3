import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { refuse } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import {
  type Edit,
  GRPC_PREFIX_BYTES,
  insertLast,
  insertText,
  replaceMention,
  spliceFrame,
} from '#base/proto/splice-message';
import { requestTables } from '#base/proto/wire-tables';
import { carriesPayload } from './nexus-content.ts';
import { sealNexusError } from './nexus-error.ts';
import { isDeletion, readPayload } from './payload-bytes.ts';
import { sealAttribute } from './sealed-attributes.ts';
import { ENCODED_FAILURE, writeFailureWords } from './sealed-failure.ts';
import { boxOf, sealPayload } from './sealed-payload.ts';
import { looksSealedText, sealText } from './sealed-text.ts';
import { rewriteQuery } from './visibility-query/rewrite-query.ts';

/** How one namespace's requests are sealed. */
export interface SealRules {
  /** False: only what looks sealed already is sealed, so that nothing sent in is ever opened. */
  readonly sealing: boolean;
  /** Absent where the namespace has no keys and needs none. */
  readonly keyring: NamespaceKeyring | undefined;
  readonly sealedAttributes: readonly string[];
}

/** `message` of a failure is field 1, `encoded_attributes` field 20. */
const MESSAGE_TAG = [0x0a];
const ATTRIBUTES_TAG = [0xa2, 0x01];
const NOTHING = new Uint8Array(0);
const PLACEHOLDER = Buffer.from(ENCODED_FAILURE);

/**
 * The edits that keep from the engine what a request says in payloads, failures and private texts. Everything
 * is sealed once more, whatever it is: a ciphertext sent in comes back as it was sent, never opened.
 * @throws Refusal `payload_reserved`, `attribute_refused`, `filter_refused`, `query_refused`.
 */
export function sealMessage(scanner: MessageScanner, rules: SealRules): Edit[] {
  const edits: Edit[] = [];
  const failures = new Map<number, FailurePlace>();
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const edit = visit(scanner, mention, rules, failures);
    if (edit !== undefined) edits.push(edit);
  }
  // Inner failures have higher frames and must end before the outer ones.
  for (const frame of [...failures.keys()].sort((a, b) => b - a)) {
    const place = failures.get(frame);
    if (place !== undefined) edits.push(...sealFailure(scanner, frame, place, rules));
  }
  return edits;
}

interface FailurePlace {
  message?: number;
  stackTrace?: number;
  attributes?: number;
}

function visit(
  scanner: MessageScanner,
  mention: number,
  rules: SealRules,
  failures: Map<number, FailurePlace>,
): Edit | undefined {
  switch (scanner.role(mention)) {
    case Role.payload:
    case Role.headerPayload:
      return payload(scanner, mention, rules);
    case Role.memoPayload:
      return memo(scanner, mention, rules);
    case Role.attributePayload:
      return attribute(scanner, mention, rules);
    case Role.failureMessage:
      placeOf(failures, scanner.frameOf(mention)).message = mention;
      return undefined;
    case Role.failureStackTrace:
      placeOf(failures, scanner.frameOf(mention)).stackTrace = mention;
      return undefined;
    case Role.failureAttributes:
      placeOf(failures, scanner.frameOf(mention)).attributes = mention;
      return undefined;
    case Role.privateText:
      return privateText(scanner, mention, rules);
    case Role.query:
    case Role.batchQuery:
      return query(scanner, mention, rules);
    case Role.nexusOperationError:
    case Role.nexusHandlerError:
      return nexusError(scanner, mention, rules);
    default:
      return undefined;
  }
}

function placeOf(failures: Map<number, FailurePlace>, frame: number): FailurePlace {
  let place = failures.get(frame);
  if (place === undefined) {
    place = {};
    failures.set(frame, place);
  }
  return place;
}

/** The key to seal with, where this content must be sealed at all. */
function keyFor(rules: SealRules, looksSealed: () => boolean): NamespaceKeyring | undefined {
  if (!rules.sealing && !looksSealed()) return undefined;
  if (rules.keyring?.canSeal === true) return rules.keyring;
  if (rules.sealing) throw refuse('encryption_unavailable', { detail: 'sealing is on and there is no key' });
  throw refuse('payload_reserved');
}

function payload(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const content = scanner.content(mention);
  const keyring = keyFor(rules, () => boxOf(content) !== undefined || carriesPayload(content));
  return keyring && replaceMention(scanner, mention, sealPayload(keyring, 'payload', content));
}

/** An entry that is to be deleted stays readable, or the engine would store it; but nothing else is said with it. */
function memo(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const read = readPayload(scanner.content(mention));
  if (read === undefined || !isDeletion(read)) return payload(scanner, mention, rules);
  const plain = read.metadataKeys.every((key) => key === 'encoding');
  const known = read.encoding === undefined || /^(?:json|binary)\/(?:plain|null)$/.test(read.encoding);
  return plain && known ? undefined : replaceMention(scanner, mention, NULL_PAYLOAD);
}

/** `metadata { "encoding": "binary/null" }` */
const NULL_PAYLOAD = Buffer.concat([
  Buffer.from([0x0a, 23, 0x0a, 8]),
  Buffer.from('encoding'),
  Buffer.from([0x12, 11]),
  Buffer.from('binary/null'),
]);

function attribute(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const name = attributeName(scanner, mention);
  const value = sealAttribute(
    rules.keyring,
    rules.sealing && rules.sealedAttributes.includes(name),
    name,
    scanner.content(mention),
  );
  return value && replaceMention(scanner, mention, value);
}

/** The key of the map entry in which a value stands; before it as writers put it, or after it. */
export function attributeName(scanner: MessageScanner, value: number): string {
  for (const mention of [value - 1, value + 1]) {
    const isKey =
      mention >= 0 && mention < scanner.mentionCount && scanner.role(mention) === Role.searchAttribute;
    if (isKey && scanner.frameOf(mention) === scanner.frameOf(value)) return scanner.text(mention);
  }
  return '';
}

function privateText(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const text = scanner.text(mention);
  if (text === '') return undefined;
  const keyring = keyFor(rules, () => looksSealedText(text));
  return keyring && replaceMention(scanner, mention, Buffer.from(sealText(keyring, text)));
}

function query(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const { keyring, sealedAttributes } = rules;
  if (!rules.sealing || sealedAttributes.length === 0) return undefined;
  const text = scanner.text(mention);
  const rewritten = rewriteQuery(text, {
    names: sealedAttributes,
    has: (name) => sealedAttributes.includes(name),
    sealAll: (name, value) => keyring?.sealAttributeAll(name, value),
  });
  return rewritten === text ? undefined : replaceMention(scanner, mention, Buffer.from(rewritten, 'utf8'));
}

function nexusError(scanner: MessageScanner, mention: number, rules: SealRules): Edit | undefined {
  const kind = scanner.role(mention) === Role.nexusHandlerError ? 'handler' : 'operation';
  const sealed = sealNexusError(scanner.content(mention), kind, (failure) => sealWhole(failure, rules));
  return sealed && replaceMention(scanner, mention, sealed);
}

const failureTable = requestTables.messages.find(({ name }) => name === 'temporal.api.failure.v1.Failure');
/** For a failure that stands in JSON, while the request around it is in the scanner of its own. */
const failureScanner = new MessageScanner(requestTables, { reply: false });

/** A failure.v1.Failure with its words and payloads sealed; undefined where none are to be. */
function sealWhole(failure: Uint8Array, rules: SealRules): Uint8Array | undefined {
  if (failureTable === undefined || !failureScanner.scan(failureTable, failure)) {
    throw refuse('message_malformed', { publicDetail: 'a Nexus failure that is nested too deeply' });
  }
  const edits = sealMessage(failureScanner, rules);
  if (edits.length > 0) return spliceFrame(failureScanner, edits).subarray(GRPC_PREFIX_BYTES);
  return rules.sealing ? failure : undefined;
}

/** Message, stack trace and attributes go into one box, which stands where the attributes were. */
function sealFailure(scanner: MessageScanner, frame: number, place: FailurePlace, rules: SealRules): Edit[] {
  const message = place.message === undefined ? '' : scanner.text(place.message);
  const stackTrace = place.stackTrace === undefined ? '' : scanner.text(place.stackTrace);
  const attributes = place.attributes === undefined ? undefined : scanner.content(place.attributes);
  if (message === '' && stackTrace === '' && attributes === undefined) return [];
  const keyring = keyFor(rules, () => attributes !== undefined && boxOf(attributes) !== undefined);
  if (keyring === undefined) return [];
  const words = writeFailureWords({ message, stackTrace, attributes });
  const sealed = sealPayload(keyring, 'failure', words);
  return [
    ...(place.message === undefined
      ? [insertText(scanner, frame, MESSAGE_TAG, PLACEHOLDER)]
      : [replaceMention(scanner, place.message, PLACEHOLDER)]),
    // Emptied rather than cut, so that it keeps its place.
    ...(place.stackTrace === undefined ? [] : [replaceMention(scanner, place.stackTrace, NOTHING)]),
    place.attributes === undefined
      ? insertLast(scanner, frame, ATTRIBUTES_TAG, sealed)
      : replaceMention(scanner, place.attributes, sealed),
  ];
}
