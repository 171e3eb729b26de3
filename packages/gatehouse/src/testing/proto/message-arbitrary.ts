import { type DescField, type DescMessage, type DescOneof, ScalarType, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { messageType } from '#base/proto/api-registry';

/** Types that clients put inside an Any. */
const anyTypes: readonly string[] = [
  'temporal.api.update.v1.Request',
  'temporal.api.update.v1.Response',
  'temporal.api.update.v1.Acceptance',
  'temporal.api.update.v1.Rejection',
];

/** Levels of messages below the root: enough for every path to a role but those inside failure causes. */
const DEPTH = 5;
/** Below the root, or messages grow without showing more. */
const FIELDS_MAX_BELOW = 5;
const ITEMS_MAX = 3;

type Values = fc.Arbitrary<unknown>;
type Slot = DescField | DescOneof;
/** Puts a value into a message. */
type Setter = (message: ReflectMessage) => void;

const made = new Map<string, fc.Arbitrary<ReflectMessage>>();

/**
 * Any message of a type, of any shape that the schema allows: texts in any script, unknown enum values, maps,
 * one member of each oneof, known types inside Any, nested to a bounded depth.
 */
export function messageArbitrary(desc: DescMessage, depth: number = DEPTH): fc.Arbitrary<ReflectMessage> {
  const name = `${desc.typeName} ${depth}`;
  let arbitrary = made.get(name);
  if (arbitrary === undefined) {
    arbitrary = desc.typeName === AnySchema.typeName ? anyArbitrary(depth) : plainArbitrary(desc, depth);
    made.set(name, arbitrary);
  }
  return arbitrary;
}

function plainArbitrary(desc: DescMessage, depth: number): fc.Arbitrary<ReflectMessage> {
  const slots = desc.members.filter((slot) => depth > 0 || !needsMessage(slot));
  const most = depth === DEPTH ? slots.length : Math.min(slots.length, FIELDS_MAX_BELOW);
  return fc
    .subarray([...slots], { maxLength: most })
    .chain((chosen) => fc.tuple(...chosen.map((slot) => slotArbitrary(slot, depth))))
    .map((setters) => {
      const message = reflect(desc);
      for (const set of setters) set(message);
      return message;
    });
}

function anyArbitrary(depth: number): fc.Arbitrary<ReflectMessage> {
  return fc
    .constantFrom(...anyTypes)
    .chain((name) => messageArbitrary(messageType(name), Math.max(0, depth - 1)))
    .map((inner) => {
      const any = reflect(AnySchema);
      any.set(AnySchema.field.typeUrl, `type.googleapis.com/${inner.desc.typeName}`);
      any.set(AnySchema.field.value, toBinary(inner.desc, inner.message));
      return any;
    });
}

function needsMessage(slot: Slot): boolean {
  if (slot.kind === 'oneof') return slot.fields.every((field) => field.message !== undefined);
  return slot.message !== undefined;
}

function slotArbitrary(slot: Slot, depth: number): fc.Arbitrary<Setter> {
  if (slot.kind === 'field') return fieldArbitrary(slot, depth);
  const members = slot.fields.filter((field) => depth > 0 || field.message === undefined);
  return fc.constantFrom(...members).chain((field) => fieldArbitrary(field, depth));
}

function fieldArbitrary(field: DescField, depth: number): fc.Arbitrary<Setter> {
  const value = valueArbitrary(field, depth);
  if (field.fieldKind === 'list') {
    return fc.array(value, { maxLength: ITEMS_MAX }).map((items) => (message) => {
      for (const item of items) message.get(field).add(item);
    });
  }
  if (field.fieldKind === 'map') {
    const key = scalarArbitrary(field.mapKey);
    return fc.array(fc.tuple(key, value), { maxLength: ITEMS_MAX }).map((entries) => (message) => {
      for (const [itsKey, itsValue] of entries) message.get(field).set(itsKey, itsValue);
    });
  }
  return value.map((it) => (message) => message.set(field, it));
}

/** The only blob that a tenant may get: a piece of history. */
function blobArbitrary(depth: number): Values {
  return messageArbitrary(messageType('temporal.api.history.v1.History'), depth).map((history) =>
    toBinary(history.desc, history.message),
  );
}

function valueArbitrary(field: DescField, depth: number): Values {
  if (field.parent.typeName === 'temporal.api.common.v1.DataBlob' && field.name === 'data')
    return blobArbitrary(Math.max(0, depth - 1));
  if (field.message !== undefined) return messageArbitrary(field.message, depth - 1);
  if (field.enum !== undefined) {
    const known = field.enum.values.map(({ number }) => number);
    return fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...known) },
      { weight: 1, arbitrary: fc.constantFrom(-1, 9999, 0x7fffffff) },
    );
  }
  return scalarArbitrary(field.scalar ?? ScalarType.STRING);
}

const texts = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  // Lengths of two bytes, and the scanner's native check of UTF-8.
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 49, maxLength: 200 }) },
);

function scalarArbitrary(type: ScalarType): Values {
  switch (type) {
    case ScalarType.STRING:
      return texts;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true });
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true });
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat({ max: 0xffffffff });
    default:
      return fc.integer();
  }
}
