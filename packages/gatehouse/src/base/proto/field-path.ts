import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { engineApiRegistry, messageType } from './api-registry.ts';

/** One field on the way from a message to a field inside it. */
export interface FieldStep {
  /** The message type that the field belongs to, such as `temporal.api.common.v1.Memo`. */
  readonly message: string;
  /** The field's name in the schema. */
  readonly field: string;
  /** The place in a repeated field, from 0. */
  readonly index?: number;
  /** The key of the entry, where the field is a map with texts for keys, as all maps of requests are. */
  readonly key?: string;
  /** The type inside, where the field is an Any and the way goes on inside it. */
  readonly inside?: string;
  /** Where the field's content begins and ends; in a map, the content of the entry. */
  readonly start: number;
  readonly end: number;
}

/** Longer keys are left out of the text: they say more than where a field is. */
const KEY_CHARS_MAX = 64;
const PLAIN_KEY = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;
const API_PREFIX = 'temporal.api.';

/**
 * The way to the field whose content begins at a position, outermost step first: by field, index and key, through
 * Any. For what is said about a field after it was found (the descriptors are loaded on first use). No two fields
 * begin at one position, since a tag and a length come before each content.
 * @param typeName of the message that lies in `bytes[start, end)`, well-formed as the scanner demands it.
 * @param contentStart of a string, of bytes or of a message; of the value, in a map.
 * @returns undefined where no such field begins there.
 */
export function fieldPath(
  typeName: string,
  bytes: Uint8Array,
  [start, end]: readonly [number, number],
  contentStart: number,
): readonly FieldStep[] | undefined {
  const steps: FieldStep[] = [];
  let place: Place | undefined = { desc: messageType(typeName), start, end };
  while (place !== undefined) {
    const field = enclosingField(bytes, place, contentStart);
    if (field === undefined) return undefined;
    const found = stepInto(bytes, place, field, contentStart);
    steps.push(found.step);
    if (found.reached) return steps;
    place = found.next;
  }
  return undefined;
}

/** As people write it: `commands[0].record_marker_command_attributes.details["data"].payloads[0]`. */
export function fieldPathText(steps: readonly FieldStep[]): string {
  return steps.map(stepText).join('.');
}

/** A text field of the message that a step leads to; empty where it is not set. */
export function textField(bytes: Uint8Array, { start, end }: FieldStep, number: number): string {
  for (const field of wireFields(bytes, start, end)) {
    if (field.number === number) return textOf(bytes, field.start, field.end);
  }
  return '';
}

function stepText({ field, index, key, inside }: FieldStep): string {
  const place = index === undefined ? '' : `[${index}]`;
  const entry = key === undefined ? '' : `[${keyText(key)}]`;
  const type = inside === undefined ? '' : `[${inside.replace(API_PREFIX, '')}]`;
  return `${field}${place}${entry}${type}`;
}

function keyText(key: string): string {
  return key.length <= KEY_CHARS_MAX && PLAIN_KEY.test(key) ? `"${key}"` : '…';
}

/** A message on the way. */
interface Place {
  readonly desc: DescMessage;
  readonly start: number;
  readonly end: number;
}

/** A length-delimited field as it lies. */
interface WireField {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  /** How many fields of this number stood before it. */
  readonly before: number;
}

interface Found {
  readonly step: FieldStep;
  /** The step's own content, or its value in a map, begins at the position. */
  readonly reached: boolean;
  readonly next?: Place;
}

function enclosingField(bytes: Uint8Array, place: Place, contentStart: number): WireField | undefined {
  const counts = new Map<number, number>();
  for (const { number, start, end } of wireFields(bytes, place.start, place.end)) {
    const before = counts.get(number) ?? 0;
    if (start <= contentStart && contentStart <= end) return { number, start, end, before };
    counts.set(number, before + 1);
  }
  return undefined;
}

function stepInto(bytes: Uint8Array, { desc }: Place, wire: WireField, contentStart: number): Found {
  const field = desc.fields.find(({ number }) => number === wire.number);
  const step: FieldStep = {
    message: desc.typeName,
    field: field?.name ?? `#${wire.number}`,
    start: wire.start,
    end: wire.end,
    ...(field?.fieldKind === 'list' ? { index: wire.before } : {}),
  };
  if (field === undefined) return { step, reached: wire.start === contentStart };
  if (field.fieldKind === 'map') return stepIntoEntry(bytes, field, step, contentStart);
  if (wire.start === contentStart) return { step, reached: true };
  if (field.message === undefined) return { step, reached: false };
  if (field.message.typeName === AnySchema.typeName)
    return stepIntoAny(bytes, field.message, step, contentStart);
  return { step, reached: false, next: { desc: field.message, start: wire.start, end: wire.end } };
}

/** An entry of a map: key (1) and value (2), in any order. */
function stepIntoEntry(
  bytes: Uint8Array,
  field: DescField & { readonly fieldKind: 'map' },
  entry: FieldStep,
  contentStart: number,
): Found {
  const step = { ...entry, key: textField(bytes, entry, 1) };
  if (contentStart === entry.start) return { step, reached: true };
  for (const { number, start, end } of wireFields(bytes, entry.start, entry.end)) {
    if (contentStart === start) return { step, reached: true };
    if (number !== 2 || field.message === undefined || contentStart < start || contentStart > end) continue;
    return { step, reached: false, next: { desc: field.message, start, end } };
  }
  return { step, reached: false };
}

/** The text of an Any's type (1) stands before its value (2): the scanner accepts no other order. */
function stepIntoAny(bytes: Uint8Array, any: DescMessage, step: FieldStep, contentStart: number): Found {
  let inside: DescMessage | undefined;
  for (const { number, start, end } of wireFields(bytes, step.start, step.end)) {
    if (number === 1) {
      const url = textOf(bytes, start, end);
      inside = engineApiRegistry().getMessage(url.slice(url.lastIndexOf('/') + 1));
    } else if (number === 2 && inside !== undefined && start < contentStart) {
      return {
        step: { ...step, inside: inside.typeName },
        reached: false,
        next: { desc: inside, start, end },
      };
    }
  }
  return { step, reached: false, next: { desc: any, start: step.start, end: step.end } };
}

function* wireFields(
  bytes: Uint8Array,
  start: number,
  end: number,
): Generator<{ readonly number: number; readonly start: number; readonly end: number }> {
  let pos = start;
  while (pos < end) {
    const tag = readVarint(bytes, pos);
    const value = readVarint(bytes, tag.next);
    pos = skip(bytes, tag, value);
    // A field that runs over the end is none, and a length may say any number.
    if (pos > end) return;
    if (tag.value % 8 === 2) yield { number: Math.floor(tag.value / 8), start: value.next, end: pos };
  }
}

interface Varint {
  readonly value: number;
  /** The position after it. */
  readonly next: number;
}

/** The position after a field whose tag was read, and what a varint after it would be. */
function skip(bytes: Uint8Array, tag: Varint, after: Varint): number {
  switch (tag.value % 8) {
    case 0:
      return after.next;
    case 1:
      return tag.next + 8;
    case 2:
      return after.next + after.value;
    case 5:
      return tag.next + 4;
    default:
      // Groups were refused by the scanner. Nothing is found behind one.
      return bytes.length;
  }
}

/** A varint; beyond 2^53 its value is not exact, which no tag and no length is. */
function readVarint(bytes: Uint8Array, start: number): Varint {
  let value = 0;
  let next = start;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next };
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}
