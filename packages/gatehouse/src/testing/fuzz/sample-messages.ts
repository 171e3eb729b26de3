import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import fc from 'fast-check';
import { engineApiRegistry } from '#base/proto/api-registry';
import { type Direction, roleOfField } from '../proto/field-role.ts';
import { messageArbitrary } from '../proto/message-arbitrary.ts';
import { type MethodMessage, methodMessages } from '../proto/workflow-messages.ts';

/** Messages of methods with payloads or names in them, by their number for {@link messageOf}. */
export interface SampleMessage {
  /** Two bytes. */
  readonly number: Uint8Array;
  readonly at: MethodMessage;
  readonly bytes: Uint8Array;
}

const FIXED_SEED = 7;
const BYTES_MAX = 1500;
/** By role. */
export type NamedFields = ReadonlyMap<number, string | Uint8Array>;

const NOTHING_NAMED: NamedFields = new Map();
const all = methodMessages();

/** The message that two bytes choose. */
export function messageOf(number: number): MethodMessage {
  const chosen = all[number % all.length];
  if (chosen === undefined) throw new Error('no methods');
  return chosen;
}

/** One message of a method, out of protobuf's JSON. */
export function messageOfJson(method: string, direction: Direction, json: JsonValue): SampleMessage {
  const index = all.findIndex((at) => at.method.name === method && at.direction === direction);
  const at = messageOf(index);
  const bytes = toBinary(at.desc, fromJson(at.desc, json, { registry: engineApiRegistry() }));
  return { number: numberOf(index), at, bytes };
}

/** A payload in protobuf's JSON, for {@link messageOfJson}. */
export function payloadJson(encoding: string, data: string): JsonValue {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return { metadata: { encoding: base64(encoding) }, data: base64(data) };
}

/**
 * Of each message that anything is looked for in, one that is small; the same in every run.
 * @param named values for all fields of these roles: without the right namespace in it, a message is soon refused.
 */
export function* sampleMessages(
  direction: Direction,
  named: NamedFields = NOTHING_NAMED,
): Generator<SampleMessage> {
  for (const [index, at] of all.entries()) {
    if (at.direction !== direction || !at.table.interesting) continue;
    const number = numberOf(index);
    for (const message of fc.sample(messageArbitrary(at.desc), { numRuns: 1, seed: FIXED_SEED })) {
      nameFields(message, direction, named);
      const bytes = toBinary(at.desc, message.message);
      if (bytes.length <= BYTES_MAX) yield { number, at, bytes };
    }
  }
}

function numberOf(index: number): Uint8Array {
  return Buffer.from([index >> 8, index & 0xff]);
}

function nameFields(message: ReflectMessage, direction: Direction, named: NamedFields): void {
  for (const field of message.sortedFields) {
    const value = named.get(roleOfField(direction, message.desc, field));
    if (value !== undefined && field.fieldKind === 'scalar') message.set(field, value);
    if (field.message === undefined || !message.isSet(field)) continue;
    const values =
      field.fieldKind === 'list' || field.fieldKind === 'map'
        ? [...message.get(field).values()]
        : [message.get(field)];
    for (const value of values) nameFields(value as ReflectMessage, direction, named);
  }
}
