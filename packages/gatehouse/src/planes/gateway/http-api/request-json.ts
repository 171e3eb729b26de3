import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { refuse } from '#base/model/refusals';
import { exactInteger } from './exact-json.ts';
import { enumValueNamed, fieldNamed } from './field-lookup.ts';
import { lengthenPayload, PAYLOAD, PAYLOADS } from './payload-shorthand.ts';

export type JsonObject = Record<string, unknown>;

/** As deep as protobuf's own JSON parsers go; payload values may be deeper. */
const DEPTH_MAX = 100;
/**
 * Objects, list items and payloads in one request: 4 MiB of `{},` would be a gigabyte of messages. This many
 * take about 0.1 s, in which nobody else is served.
 */
const NODES_MAX = 25_000;
const DURATION = /^-?\d+(?:\.\d{1,9})?s$/;
const NAME = /^\w{1,64}$/;

/**
 * Brings a request's JSON into protobuf's own form: one name per field, enum values by their API name,
 * payloads in full. Everything that the message does not have is refused here.
 * @throws Refusal `field_unknown`, `input_invalid`.
 */
export function normaliseRequest(type: DescMessage, json: unknown, shorthand: boolean): JsonObject {
  const normalised = new Normaliser(shorthand).message(type, json, 1);
  if (!isObject(normalised))
    throw refuse('input_invalid', { publicDetail: 'the body must be a JSON object' });
  return normalised;
}

class Normaliser {
  readonly #shorthand: boolean;
  #nodes = 0;

  constructor(shorthand: boolean) {
    this.#shorthand = shorthand;
  }

  message(type: DescMessage, json: unknown, depth: number): unknown {
    this.#count(depth);
    if (this.#shorthand && type.typeName === PAYLOAD) return this.#payload(json);
    if (this.#shorthand && type.typeName === PAYLOADS && Array.isArray(json)) {
      return { payloads: json.map((value: unknown) => this.message(payloadType(type), value, depth + 1)) };
    }
    // The library would read `10sx` as 10 s.
    if (type.typeName === 'google.protobuf.Duration' && (typeof json !== 'string' || !DURATION.test(json))) {
      throw refuse('input_invalid', { publicDetail: 'a duration is not understood' });
    }
    // Timestamps, durations and the like have forms of their own, which the library reads.
    if (type.typeName.startsWith('google.protobuf.')) return json;
    if (!isObject(json)) throw refuse('input_invalid', { publicDetail: `${type.name} must be an object` });
    const normalised: JsonObject = Object.create(null);
    for (const [name, value] of Object.entries(json)) {
      const field = fieldNamed(type, name);
      if (field === undefined) throw unknownField(type, name);
      if (value === null) continue;
      if (Object.hasOwn(normalised, field.jsonName)) {
        throw refuse('input_invalid', { publicDetail: `${type.name}.${field.name} is set twice` });
      }
      normalised[field.jsonName] = this.#field(field, value, depth);
    }
    return normalised;
  }

  #field(field: DescField, value: unknown, depth: number): unknown {
    if (field.fieldKind === 'list') {
      if (!Array.isArray(value))
        throw refuse('input_invalid', { publicDetail: `${field.name} must be a list` });
      return value.map((item: unknown) => this.#single(field, item, depth));
    }
    if (field.fieldKind !== 'map') return this.#single(field, value, depth);
    if (!isObject(value)) throw refuse('input_invalid', { publicDetail: `${field.name} must be an object` });
    const entries: JsonObject = Object.create(null);
    for (const [key, entry] of Object.entries(value)) entries[key] = this.#single(field, entry, depth);
    return entries;
  }

  #single(field: DescField, value: unknown, depth: number): unknown {
    if (field.message !== undefined) return this.message(field.message, value, depth + 1);
    this.#count(depth);
    if (field.enum !== undefined && typeof value === 'string') {
      const name = enumValueNamed(field.enum, value);
      if (name === undefined)
        throw refuse('input_invalid', { publicDetail: `${field.name} has no such value` });
      return name;
    }
    return exactInteger(value) ?? value;
  }

  #payload(json: unknown): unknown {
    try {
      return lengthenPayload(json);
    } catch (cause) {
      throw refuse('input_invalid', { publicDetail: 'a payload is not understood', cause });
    }
  }

  #count(depth: number): void {
    this.#nodes += 1;
    if (depth > DEPTH_MAX) throw refuse('input_invalid', { publicDetail: 'the body is nested too deeply' });
    if (this.#nodes > NODES_MAX)
      throw refuse('input_invalid', { publicDetail: 'the body holds too many values' });
  }
}

function payloadType(payloads: DescMessage): DescMessage {
  const type = payloads.fields[0]?.message;
  if (type === undefined) throw new Error('Payloads has no payloads');
  return type;
}

function unknownField(type: DescMessage, name: string): Error {
  // A name of the caller's own is repeated only where it could be a field's.
  return refuse('field_unknown', {
    publicDetail: NAME.test(name) ? `${type.name}.${name}` : `in ${type.name}`,
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
