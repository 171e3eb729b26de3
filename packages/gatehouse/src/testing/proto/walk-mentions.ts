import {
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { type ReflectList, type ReflectMap, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { messageType } from '#base/proto/api-registry';
import { entryRoles, Role } from '#base/proto/role';
import { type Direction, roleOfField, roleOfValues } from './field-role.ts';

/** One field with a role in a decoded message. */
export interface WalkedMention {
  readonly role: number;
  readonly number: number;
  /** Hex of a text or of bytes; `message` for a message. */
  readonly value: string;
  /** Gives it another value; absent for messages and for keys of maps. Edit from the last mention to the first. */
  readonly replace?: (text: string) => void;
  /** Takes it out whole; absent for keys of maps. */
  readonly cut?: () => void;
}

export interface Walk {
  readonly mentions: readonly WalkedMention[];
  /** Writes edits inside an Any back into it: call once after the last edit. */
  settle(): void;
}

const BLOB = 'temporal.api.common.v1.DataBlob';
const BLOB_CONTENT = 'temporal.api.history.v1.History';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const hexOf = (value: unknown): string =>
  value instanceof Uint8Array ? hex(value) : hex(Buffer.from(String(value), 'utf8'));

/**
 * Every field with a role in a message that was decoded in full, in the order of field numbers, which is the
 * order in which writers put them. Fields that the API does not know come last in their message, as `newer`.
 */
export function walkMentions(direction: Direction, desc: DescMessage, message: Message): Walk {
  const walker = new Walker(direction);
  walker.message(reflect(desc, message));
  return { mentions: walker.mentions, settle: () => walker.settle() };
}

class Walker {
  readonly mentions: WalkedMention[] = [];
  readonly #direction: Direction;
  readonly #settles: (() => void)[] = [];

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  settle(): void {
    // Inner ones were noted last and must be written first.
    for (const settle of this.#settles.toReversed()) settle();
  }

  message(message: ReflectMessage): void {
    for (const field of message.sortedFields) {
      if (!message.isSet(field)) continue;
      const role = roleOfField(this.#direction, message.desc, field);
      if (field.fieldKind === 'list') this.#list(role, field, message.get(field));
      else if (field.fieldKind === 'map')
        this.#map(role, roleOfValues(message.desc, field), field, message.get(field));
      else this.#single(role, field, message);
    }
    for (const unknown of message.getUnknown() ?? []) {
      this.mentions.push({ role: Role.newer, number: unknown.no, value: hex(unknown.data) });
    }
  }

  #single(role: number, field: DescField, owner: ReflectMessage): void {
    const value: unknown = owner.get(field);
    this.#note(role, field, value, {
      replace: (text) => owner.set(field, asValue(field, text)),
      cut: () => owner.clear(field),
    });
    if (field.message !== undefined) this.#inner(value as ReflectMessage);
    if (owner.desc.typeName === BLOB && field.name === 'data') this.#blob(owner);
  }

  /** A piece of history in a blob. */
  #blob(owner: ReflectMessage): void {
    const blob = owner.message as unknown as { data: Uint8Array };
    const desc = messageType(BLOB_CONTENT);
    const content = fromBinary(desc, blob.data, { recursionLimit: 10_000 });
    this.#settles.push(() => {
      blob.data = toBinary(desc, content);
    });
    this.message(reflect(desc, content));
  }

  #list(role: number, field: DescField, list: ReflectList): void {
    for (const [index, value] of list.entries()) {
      this.#note(role, field, value, {
        replace: (text) => list.set(index, asValue(field, text)),
        cut: () => {
          const rest = [...list].filter((_, at) => at !== index);
          list.clear();
          for (const item of rest) list.add(item);
        },
      });
      if (field.message !== undefined) this.#inner(value as ReflectMessage);
    }
  }

  #map(role: number, ofValues: number, field: DescField, map: ReflectMap): void {
    for (const [key, value] of map) {
      if (entryRoles.has(role)) {
        this.mentions.push({ role, number: field.number, value: 'message', cut: () => map.delete(key) });
      } else if (role !== Role.none) this.mentions.push({ role, number: 1, value: hexOf(key) });
      if (ofValues !== Role.none) this.mentions.push({ role: ofValues, number: 2, value: 'message' });
      if (field.message !== undefined) this.#inner(value as ReflectMessage);
    }
  }

  #note(
    role: number,
    field: DescField,
    value: unknown,
    edits: { replace: (text: string) => void; cut: () => void },
  ): void {
    if (role === Role.none) return;
    const { number } = field;
    if (field.message !== undefined) this.mentions.push({ role, number, value: 'message', cut: edits.cut });
    else this.mentions.push({ role, number, value: hexOf(value), ...edits });
  }

  #inner(message: ReflectMessage): void {
    if (message.desc.typeName !== AnySchema.typeName) return this.message(message);
    const any = message.message as Any;
    if (any.typeUrl === '') return undefined;
    const desc = messageType(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
    const content = fromBinary(desc, any.value, { recursionLimit: 10_000 });
    this.#settles.push(() => {
      any.value = toBinary(desc, content);
    });
    return this.message(reflect(desc, content));
  }
}

function asValue(field: DescField, text: string): string | Uint8Array {
  const bytes = 'scalar' in field && field.scalar === ScalarType.BYTES;
  return bytes ? new Uint8Array(Buffer.from(text, 'utf8')) : text;
}
