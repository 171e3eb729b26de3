import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { sealNexusError } from '../nexus-error.ts';
import { isDeletion, type PayloadBytes, readPayload } from '../payload-bytes.ts';
import type { PlaintextRules } from './plaintext-rules.ts';
import { HIDDEN_MESSAGE } from './sdk-plaintext.ts';

/** Is this place of a scan not encrypted, by its own bytes alone? The fast look, which nearly always says no. */
export function looksPlain(scanner: MessageScanner, mention: number, rules: PlaintextRules): boolean {
  switch (scanner.role(mention)) {
    case Role.payload:
    case Role.headerPayload:
    case Role.memoPayload:
    case Role.attributePayload:
    case Role.failureAttributes:
      return isPlainPayload(scanner.role(mention), scanner.content(mention), rules);
    case Role.failureMessage:
    case Role.privateText:
      return !isHidden(scanner, mention);
    case Role.failureStackTrace:
      return scanner.contentStart(mention) < scanner.contentEnd(mention);
    case Role.nexusOperationError:
      return isPlainNexusError('operation', scanner.content(mention), rules);
    case Role.nexusHandlerError:
      return isPlainNexusError('handler', scanner.content(mention), rules);
    default:
      return false;
  }
}

/** Empty, or the words that stand for what is encrypted. */
function isHidden(scanner: MessageScanner, mention: number): boolean {
  const length = scanner.contentEnd(mention) - scanner.contentStart(mention);
  return length === 0 || (length === HIDDEN_MESSAGE.length && scanner.text(mention) === HIDDEN_MESSAGE);
}

const inner = new MessageScanner(requestTables, { reply: false });
const failureTable = requestTables.messages.find(({ name }) => name === 'temporal.api.failure.v1.Failure');

/** A Nexus error of the older form holds a failure as JSON: it is judged as the failure that it stands for. */
function isPlainNexusError(
  kind: 'operation' | 'handler',
  content: Uint8Array,
  rules: PlaintextRules,
): boolean {
  let plain = false;
  sealNexusError(content, kind, (failure) => {
    plain = failureTable === undefined || !inner.scan(failureTable, failure);
    for (let mention = 0; mention < inner.mentionCount; mention += 1)
      plain ||= looksPlain(inner, mention, rules);
    return undefined;
  });
  return plain;
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
