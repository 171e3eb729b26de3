import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import { fieldPath, textField } from '#base/proto/field-path';
import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import type { MethodTable } from '#base/proto/wire-tables';
import { looksPlain } from './looks-plain.ts';
import { allows, hintOf, type PlaintextPlace, pathOf } from './plaintext-place.ts';
import { rulesOf } from './plaintext-rules.ts';
import { isMarkerNote, isSdkFailureText, sdkAttributes } from './sdk-plaintext.ts';

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
