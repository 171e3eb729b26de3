import type { DescField, DescMessage, DescOneof, Message } from '@bufbuild/protobuf';
import { ScalarType, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { messageType } from '#base/proto/api-registry';
import { isPayload } from './field-role.ts';

/** A field with content of its own: a text, bytes, or a whole Payload. */
export interface Leaf {
  /** From the root: `failure.cause.message`, `memo.fields{}`, `messages[].body<temporal.api.update.v1.Request>.input`. */
  readonly path: string;
  readonly owner: DescMessage;
  /** The field; of the map's values where it is a map. */
  readonly field: DescField;
}

export interface FillRules {
  /** False leaves the field out, with all below it. */
  readonly enters: (leaf: Leaf) => boolean;
  /** What stands in a text or in bytes; undefined leaves it out. */
  readonly text: (leaf: Leaf) => string | Uint8Array | undefined;
  /** The Payload message for this place. */
  readonly payload: (leaf: Leaf) => Message;
  /** Types that go into an Any. */
  readonly anyTypes: readonly string[];
}

/** How often one type may stand inside itself: causes of causes. */
const NESTED_MAX = 3;

type Setter = (message: ReflectMessage) => void;

/**
 * Messages of a type that have, together, every leaf filled that the schema has: lists and maps hold one item of
 * each kind, and a field that can be one of several takes them in turn, one message each.
 */
export function filledMessages(desc: DescMessage, rules: FillRules): Message[] {
  return new Filler(rules).variants(desc, '', []).map(({ message }) => message);
}

class Filler {
  readonly #rules: FillRules;

  constructor(rules: FillRules) {
    this.#rules = rules;
  }

  variants(desc: DescMessage, path: string, above: readonly string[]): ReflectMessage[] {
    if (desc.typeName === AnySchema.typeName) return this.#any(path, above);
    const trail = [...above, desc.typeName];
    const slots = desc.members
      .map((member) => this.#slot(desc, member, path, trail))
      .filter((setters) => setters.length > 0);
    const count = Math.max(1, ...slots.map((setters) => setters.length));
    return Array.from({ length: count }, (_, index) => {
      const message = reflect(desc);
      for (const setters of slots) setters[Math.min(index, setters.length - 1)]?.(message);
      return message;
    });
  }

  #any(path: string, above: readonly string[]): ReflectMessage[] {
    return this.#rules.anyTypes
      .filter((name) => mayStand(name, above))
      .flatMap((name) => this.variants(messageType(name), `${path}<${name}>`, above))
      .map((inner) => {
        const any = reflect(AnySchema);
        any.set(AnySchema.field.typeUrl, `type.googleapis.com/${inner.desc.typeName}`);
        any.set(AnySchema.field.value, toBinary(inner.desc, inner.message));
        return any;
      });
  }

  #slot(owner: DescMessage, member: DescField | DescOneof, path: string, trail: readonly string[]): Setter[] {
    if (member.kind === 'oneof')
      return member.fields.flatMap((field) => this.#slot(owner, field, path, trail));
    const leaf = { path: leafPath(path, member), owner, field: member };
    if (!this.#rules.enters(leaf)) return [];
    const values = this.#values(leaf, trail);
    if (values.length === 0) return [];
    if (member.fieldKind === 'list') {
      return [
        (message) => {
          for (const value of values) message.get(member).add(value);
        },
      ];
    }
    if (member.fieldKind === 'map') {
      return [
        (message) => {
          for (const [index, value] of values.entries())
            message.get(member).set(mapKey(member, index), value);
        },
      ];
    }
    return values.map((value) => (message) => message.set(member, value));
  }

  #values(leaf: Leaf, trail: readonly string[]): unknown[] {
    const { field } = leaf;
    if (isPayload(field)) return [reflect(messageType(PAYLOAD), this.#rules.payload(leaf))];
    if (field.message !== undefined) {
      return mayStand(field.message.typeName, trail) ? this.variants(field.message, leaf.path, trail) : [];
    }
    if (!holdsText(field)) return [];
    const text = this.#rules.text(leaf);
    if (text === undefined) return [];
    if (field.scalar === ScalarType.STRING || typeof text !== 'string') return [text];
    return [new Uint8Array(Buffer.from(text))];
  }
}

const PAYLOAD = 'temporal.api.common.v1.Payload';

function mayStand(name: string, above: readonly string[]): boolean {
  return above.filter((each) => each === name).length < NESTED_MAX;
}

type TextField = DescField & { readonly scalar: ScalarType };

function holdsText(field: DescField): field is TextField {
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
}

function leafPath(path: string, field: DescField): string {
  const suffix = field.fieldKind === 'list' ? '[]' : field.fieldKind === 'map' ? '{}' : '';
  return `${path === '' ? '' : `${path}.`}${field.name}${suffix}`;
}

function mapKey(field: DescField & { fieldKind: 'map' }, index: number): string | number {
  return field.mapKey === ScalarType.STRING ? `key${index}` : index;
}

/** Every leaf that the schema has below a type: by a walk over types alone, so that what no filling fills is noticed. */
export function leavesOf(
  desc: DescMessage,
  rules: Pick<FillRules, 'anyTypes' | 'enters'>,
  path = '',
  above: readonly string[] = [],
): Leaf[] {
  if (desc.typeName === AnySchema.typeName) {
    return rules.anyTypes
      .filter((name) => mayStand(name, above))
      .flatMap((name) => leavesOf(messageType(name), rules, `${path}<${name}>`, above));
  }
  const trail = [...above, desc.typeName];
  return desc.fields.flatMap((field): Leaf[] => {
    const leaf = { path: leafPath(path, field), owner: desc, field };
    if (!rules.enters(leaf)) return [];
    if (isPayload(field) || holdsText(field)) return [leaf];
    if (field.message === undefined || !mayStand(field.message.typeName, trail)) return [];
    return leavesOf(field.message, rules, leaf.path, trail);
  });
}
