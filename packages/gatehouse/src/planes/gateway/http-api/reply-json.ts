import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { engineApiRegistry } from '#base/proto/api-registry';
import { fieldNamed } from './field-lookup.ts';
import { PAYLOAD, PAYLOADS, type PayloadJson, shortenPayload } from './payload-shorthand.ts';

const ANY = 'google.protobuf.Any';

let holders: ReadonlySet<string> | undefined;

/** Puts the short form of every payload into a reply's JSON, which is protobuf's own and is changed in place. */
export function shortenPayloads(type: DescMessage, json: unknown): unknown {
  holders ??= payloadHolders();
  if (!holders.has(type.typeName) || typeof json !== 'object' || json === null) return json;
  const object = json as Record<string, unknown>;
  if (type.typeName === PAYLOAD) return shortenPayload(object as PayloadJson) ?? object;
  if (type.typeName === PAYLOADS) return shortenList(object);
  const inner = type.typeName === ANY ? typeOfAny(object) : type;
  if (inner === undefined) return object;
  for (const [name, value] of Object.entries(object)) {
    const field = fieldNamed(inner, name);
    if (field?.message === undefined || !holders.has(field.message.typeName)) continue;
    object[name] = shortenField(field, field.message, value);
  }
  return object;
}

function shortenField(field: DescField, type: DescMessage, value: unknown): unknown {
  if (field.fieldKind === 'list' && Array.isArray(value)) {
    return value.map((item: unknown) => shortenPayloads(type, item));
  }
  if (field.fieldKind !== 'map' || typeof value !== 'object' || value === null)
    return shortenPayloads(type, value);
  const entries = Object.entries(value).map(([key, entry]) => [key, shortenPayloads(type, entry)] as const);
  return Object.fromEntries(entries);
}

/** A list of payloads is a plain list if every one of them has a short form. */
function shortenList(object: Record<string, unknown>): unknown {
  const payloads = (object['payloads'] ?? []) as readonly PayloadJson[];
  const shortened = payloads.map(shortenPayload);
  if (!shortened.includes(undefined)) return shortened;
  return { payloads: payloads.map((payload, index) => shortened[index] ?? payload) };
}

function typeOfAny(object: Record<string, unknown>): DescMessage | undefined {
  const url = object['@type'];
  return typeof url === 'string'
    ? engineApiRegistry().getMessage(url.slice(url.lastIndexOf('/') + 1))
    : undefined;
}

/** Names of the messages that hold a payload somewhere below; found by growing until nothing changes. */
function payloadHolders(): ReadonlySet<string> {
  const found = new Set([PAYLOAD, PAYLOADS, ANY]);
  const messages: DescMessage[] = [];
  const gather = (message: DescMessage): void => {
    messages.push(message);
    for (const nested of message.nestedMessages) gather(nested);
  };
  for (const type of engineApiRegistry()) if (type.kind === 'message') gather(type);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const message of messages) {
      if (message.fields.some((field) => field.message !== undefined && found.has(field.message.typeName))) {
        found.add(message.typeName);
      }
    }
  }
  return found;
}
