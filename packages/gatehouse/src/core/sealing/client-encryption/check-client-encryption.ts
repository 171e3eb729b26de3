import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import { type FieldStep, fieldPath, fieldPathText, textField } from '#base/proto/field-path';
import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import type { MethodTable } from '#base/proto/wire-tables';
import { isDeletion, type PayloadBytes, readPayload } from '../payload-bytes.ts';
import { type PlaintextRules, type PlaintextWord, rulesOf } from './plaintext-rules.ts';
import { HIDDEN_MESSAGE, isMarkerNote, isSdkFailureText, sdkAttributes } from './sdk-plaintext.ts';

/** Longer paths are cut: causes of failures nest up to a hundred times. */
const PATH_CHARS_MAX = 300;

/**
 * Has the client encrypted whatever a request says in payloads, failures and search attributes? Call it after a
 * scan and before anything is edited.
 * @returns what to put into the record where the namespace only reports: the first place, how many more there are,
 *   and the word that would allow it. Empty where there is nothing to report.
 * @throws Refusal `plaintext_refused` with the path of the first place, where the namespace requires encryption.
 */
export function checkClientEncryption(
  scanner: MessageScanner,
  namespace: NamespaceRecord,
  method: Pick<MethodTable, 'name' | 'request'>,
): string {
  if (namespace.clientEncryption === 'off') return '';
  const rules = rulesOf(namespace);
  let first: PlaintextPlace | undefined;
  let more = 0;
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    if (!looksPlain(scanner, mention, rules)) continue;
    const place = placeOf(scanner, mention, method);
    if (isSdkOwn(place) || rules.words.some((word) => allows(word, place))) continue;
    if (namespace.clientEncryption === 'require') {
      throw refuse('plaintext_refused', { publicDetail: pathOf(place), detail: hintOf(place) });
    }
    if (first === undefined) first = place;
    else more += 1;
  }
  if (first === undefined) return '';
  return `plaintext at ${pathOf(first)}${more === 0 ? '' : ` and ${more} more`}; ${hintOf(first)}`;
}

/** A field that is not encrypted, and all that the rules ask about it. */
interface PlaintextPlace {
  readonly method: string;
  readonly role: number;
  readonly steps: readonly FieldStep[];
  /** The key of the map entry that it is the value of. */
  readonly key: string | undefined;
  /** The name of the marker that it is part of. */
  readonly marker: string | undefined;
  readonly content: Uint8Array;
}

/** By its own bytes alone: the fast look, which nearly always says no. */
function looksPlain(scanner: MessageScanner, mention: number, rules: PlaintextRules): boolean {
  switch (scanner.role(mention)) {
    case Role.payload:
    case Role.headerPayload:
    case Role.memoPayload:
    case Role.attributePayload:
    case Role.failureAttributes:
      return isPlainPayload(scanner.role(mention), scanner.content(mention), rules);
    case Role.failureMessage:
    case Role.failureStackTrace:
    case Role.privateText:
      return scanner.contentStart(mention) < scanner.contentEnd(mention);
    default:
      return false;
  }
}

function isPlainPayload(role: number, content: Uint8Array, rules: PlaintextRules): boolean {
  const payload = readPayload(content);
  // Decoders disagree on which of two encodings counts.
  if (payload === undefined || payload.metadataKeys.filter((key) => key === 'encoding').length > 1)
    return true;
  if (payload.encoding !== undefined && rules.encodings.has(payload.encoding)) return false;
  return !saysNothing(role, payload);
}

/** What only deletes or leaves empty: nothing is said by it, and the engine must be able to read it. */
function saysNothing(role: number, payload: PayloadBytes): boolean {
  const { encoding, metadataKeys, data, external } = payload;
  if (external.length > 0) return false;
  const bare = metadataKeys.every((key) => key === 'encoding');
  if (data.length === 0 && bare && (encoding === undefined || encoding === 'binary/null')) return true;
  if (encoding !== 'json/plain' && encoding !== 'binary/null') return false;
  if (role === Role.memoPayload) return bare && isDeletion(payload);
  if (role !== Role.attributePayload || payload.bytes.length > EMPTY_ATTRIBUTE_BYTES_MAX) return false;
  const isNull = data.length === 4 && Buffer.from(data).toString('latin1') === 'null';
  return (isNull || isDeletion(payload)) && metadataKeys.every((key) => key === 'encoding' || key === 'type');
}

/** `encoding`, `type` and `null` take 50 bytes: no room for more than that. */
const EMPTY_ATTRIBUTE_BYTES_MAX = 64;

function placeOf(
  scanner: MessageScanner,
  mention: number,
  method: Pick<MethodTable, 'name' | 'request'>,
): PlaintextPlace {
  const { bytes } = scanner;
  const range = [scanner.frameContentStart(0), scanner.frameEnd(0)] as const;
  const steps = fieldPath(method.request.name, bytes, range, scanner.contentStart(mention)) ?? [];
  const marker = steps.find(({ field }) => field === 'record_marker_command_attributes');
  return {
    method: method.name,
    role: scanner.role(mention),
    steps,
    key: steps.at(-1)?.key,
    marker: marker && textField(bytes, marker, MARKER_NAME),
    content: scanner.content(mention),
  };
}

/** Number of `marker_name` in command.v1.RecordMarkerCommandAttributes. */
const MARKER_NAME = 1;

function isSdkOwn({ role, method, steps, key, marker, content }: PlaintextPlace): boolean {
  switch (role) {
    case Role.attributePayload:
      return key !== undefined && sdkAttributes.has(key);
    case Role.failureMessage:
      return isSdkFailureText(method, textOf(content));
    case Role.privateText:
      return textOf(content) === HIDDEN_MESSAGE;
    case Role.payload: {
      // commands[].record_marker_command_attributes.details["key"].payloads[]
      const details = steps.at(-2);
      return marker !== undefined && details?.field === 'details' && isMarkerNote(marker, details.key ?? '');
    }
    default:
      return false;
  }
}

function textOf(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8');
}

function allows(word: PlaintextWord, place: PlaintextPlace): boolean {
  switch (word.kind) {
    case 'header':
      return place.role === Role.headerPayload && isNamed(word.name, place.key);
    case 'memo':
      return place.role === Role.memoPayload && isNamed(word.name, place.key);
    case 'attribute':
      return place.role === Role.attributePayload && isNamed(word.name, place.key);
    case 'marker':
      return place.marker !== undefined && isNamed(word.name, place.marker);
    case 'failure':
      return isFailure(place.role);
    case 'query-error':
      return place.role === Role.privateText;
    case 'summary':
      return place.steps.at(-1)?.message === USER_METADATA;
    case 'path':
      return (
        (word.method === undefined || word.method === place.method) &&
        word.fields.every((field, at) => place.steps[at]?.field === field)
      );
    default:
      return false;
  }
}

const USER_METADATA = 'temporal.api.sdk.v1.UserMetadata';

function isNamed(wanted: string | undefined, name: string | undefined): boolean {
  return wanted === undefined || wanted === name;
}

function isFailure(role: number): boolean {
  return role === Role.failureMessage || role === Role.failureStackTrace || role === Role.failureAttributes;
}

function pathOf({ steps }: PlaintextPlace): string {
  const text = fieldPathText(steps);
  return text.length <= PATH_CHARS_MAX ? text : `${text.slice(0, PATH_CHARS_MAX)}…`;
}

/** For the record: the narrowest word that would let this place pass. */
function hintOf(place: PlaintextPlace): string {
  return `\`${wordOf(place)}\` in plaintextAllowed would let it pass`;
}

function wordOf(place: PlaintextPlace): string {
  const { role, key = '', marker, method, steps } = place;
  if (marker !== undefined) return `marker:${shown(marker)}`;
  if (role === Role.headerPayload) return `header:${shown(key)}`;
  if (role === Role.memoPayload) return `memo:${shown(key)}`;
  if (role === Role.attributePayload) return `attribute:${shown(key)}`;
  if (role === Role.privateText) return 'query-error';
  if (isFailure(role)) return 'failure';
  if (steps.at(-1)?.message === USER_METADATA) return 'summary';
  return `path:${method}.${steps.map(({ field }) => field).join('.')}`.slice(0, PATH_CHARS_MAX);
}

/** A name that the caller chose, as far as a record may carry it. */
function shown(name: string): string {
  return /^[\w./-]{1,64}$/.test(name) ? name : '…';
}
