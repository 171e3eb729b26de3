import type { DescField } from '@bufbuild/protobuf';
import { Role } from '../../packages/gatehouse/src/base/proto/role.ts';
import { Kind } from '../../packages/gatehouse/src/base/proto/wire-kinds.ts';
import {
  requestTables,
  responseTables,
  roleOfCode,
} from '../../packages/gatehouse/src/base/proto/wire-tables.ts';
import {
  fieldOf,
  type Shape,
  varintBytes,
  type WireNode,
  WireType,
  wireNode,
} from '../../packages/gatehouse/src/testing/proto/wire-tree.ts';
import type { Random } from './random.ts';

/** The fields of one message, wherever it is nested. */
interface Container {
  readonly nodes: WireNode[];
  readonly shape: Shape;
}

/** Changes one thing in one message of a tree. Gives up silently where there is nothing to change. */
type Mutator = (at: Container, random: Random, donors: readonly Container[]) => void;

const TEXTS = [
  '',
  'orders.acme',
  'billing.other',
  'a',
  'temporal-system',
  'ñ',
  'x'.repeat(127),
  'y'.repeat(128),
];
const BAD_TEXTS = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
const LENGTH_ERRORS = [-2, -1, 1, 2, 127, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 52];
// The last level that is accepted, the first one that is not, and far beyond.
const DEPTHS = [2, 50, 96, 97, 98, 99, 100, 101, 102, 150, 500];

function copyNode(node: WireNode): WireNode {
  const content = node.content instanceof Uint8Array ? node.content.slice() : node.content.map(copyNode);
  return { ...node, content };
}

export function copyTree(nodes: readonly WireNode[]): WireNode[] {
  return nodes.map(copyNode);
}

function containersOf(nodes: WireNode[], shape: Shape): Container[] {
  const found: Container[] = [{ nodes, shape }];
  for (const node of nodes) {
    if (node.shape !== undefined && !(node.content instanceof Uint8Array)) {
      found.push(...containersOf(node.content, node.shape));
    }
  }
  return found;
}

const nameOf = (shape: Shape): string =>
  shape.kind === 'message' ? shape.desc.typeName : shape.field.toString();

const insert = (at: Container, random: Random, node: WireNode): void => {
  at.nodes.splice(random.below(at.nodes.length + 1), 0, node);
};

/** A node of the container, of those that `fits` asks for. */
function one(at: Container, random: Random, fits: (node: WireNode) => boolean): WireNode | undefined {
  const fitting = at.nodes.filter(fits);
  return fitting.length === 0 ? undefined : random.pick(fitting);
}
const any = (): boolean => true;
const isLeaf = (node: WireNode): boolean =>
  node.wireType === WireType.bytes && node.content instanceof Uint8Array;

/** A value of this wire type, as a stranger might choose it. */
function someContent(random: Random, wireType: number): Uint8Array {
  if (wireType === WireType.varint) return varintBytes(random.pick([0, 1, 127, 128, 300, 2 ** 31, 2 ** 40]));
  if (wireType === WireType.fixed64) return random.bytes(8);
  if (wireType === WireType.fixed32) return random.bytes(4);
  return random.chance(2) ? Buffer.from(random.pick(TEXTS)) : random.bytes(random.below(20));
}

const duplicate: Mutator = (at, random) => {
  const node = one(at, random, any);
  if (node === undefined) return;
  const copy = copyNode(node);
  if (isLeaf(copy) && random.chance(2)) copy.content = Buffer.from(random.pick(TEXTS));
  insert(at, random, copy);
};

const reorder: Mutator = (at, random) => {
  const node = one(at, random, any);
  if (node === undefined) return;
  at.nodes.splice(at.nodes.indexOf(node), 1);
  insert(at, random, node);
};

const drop: Mutator = (at, random) => {
  if (at.nodes.length > 0) at.nodes.splice(random.below(at.nodes.length), 1);
};

/** Adds a field of another message of the same type: merges, repeated fields, second members of oneofs. */
const graft: Mutator = (at, random, donors) => {
  const alike = donors.filter((donor) => nameOf(donor.shape) === nameOf(at.shape) && donor.nodes.length > 0);
  if (alike.length > 0) insert(at, random, copyNode(random.pick(random.pick(alike).nodes)));
};

const padTag: Mutator = (at, random) => {
  const node = one(at, random, any);
  if (node !== undefined) node.tagPadding = 1 + random.below(9);
};

const padLength: Mutator = (at, random) => {
  const node = one(at, random, ({ wireType }) => wireType === WireType.bytes);
  if (node !== undefined) node.lengthPadding = 1 + random.below(9);
};

const padValue: Mutator = (at, random) => {
  const node = one(at, random, ({ wireType }) => wireType === WireType.varint);
  if (node === undefined || !(node.content instanceof Uint8Array)) return;
  const bytes = [...node.content];
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80;
  node.content = Uint8Array.from([...bytes, ...(random.chance(2) ? [0x80] : []), random.below(3)]);
};

const wrongLength: Mutator = (at, random) => {
  const node = one(at, random, ({ wireType }) => wireType === WireType.bytes);
  if (node !== undefined) node.lengthError = random.pick(LENGTH_ERRORS);
};

const wrongWireType: Mutator = (at, random) => {
  const node = one(at, random, any);
  if (node === undefined) return;
  node.wireType = random.below(8);
  node.content = someContent(random, node.wireType);
};

const group: Mutator = (at, random) => {
  const node = one(at, random, ({ wireType }) => wireType === WireType.bytes);
  if (node === undefined) return;
  node.wireType = WireType.startGroup;
  if (node.content instanceof Uint8Array) node.content = [];
};

const badText: Mutator = (at, random) => {
  const node = one(at, random, isLeaf);
  if (node === undefined || !(node.content instanceof Uint8Array)) return;
  const bad = Uint8Array.from(random.pick(BAD_TEXTS));
  node.content = random.chance(2)
    ? Buffer.concat([node.content, bad])
    : Buffer.concat([bad, Buffer.from('/'), node.content]);
};

const otherText: Mutator = (at, random) => {
  const node = one(at, random, isLeaf);
  if (node !== undefined) node.content = Buffer.from(random.pick(TEXTS));
};

/** A field of the type that is not there yet, with nothing or a little in it. */
const addField: Mutator = (at, random) => {
  if (at.shape.kind !== 'message' || at.shape.desc.fields.length === 0) return;
  const field = random.pick(at.shape.desc.fields);
  const wireType = wireTypeOf(field);
  const isText = wireType === WireType.bytes && field.message === undefined && field.fieldKind !== 'map';
  const empty = wireType === WireType.bytes ? new Uint8Array(0) : new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0]);
  const width = wireType === WireType.varint ? 1 : wireType === WireType.fixed32 ? 4 : 8;
  const content = isText ? Buffer.from(random.pick(TEXTS)) : empty.slice(0, width);
  insert(at, random, wireNode(field.number, wireType, content));
};

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined || field.fieldKind === 'map') return WireType.bytes;
  if (field.enum !== undefined) return WireType.varint;
  const fixed64: readonly (number | undefined)[] = [1, 6, 16];
  const fixed32: readonly (number | undefined)[] = [2, 7, 15];
  if (fixed64.includes(field.scalar)) return WireType.fixed64;
  if (fixed32.includes(field.scalar)) return WireType.fixed32;
  return field.scalar === 9 || field.scalar === 12 ? WireType.bytes : WireType.varint;
}

/** A second member of a oneof beside the first. */
const swapOneof: Mutator = (at, random) => {
  if (at.shape.kind !== 'message' || at.shape.desc.oneofs.length === 0) return;
  const field = random.pick(random.pick(at.shape.desc.oneofs).fields);
  const wireType = wireTypeOf(field);
  insert(
    at,
    random,
    wireNode(field.number, wireType, wireType === WireType.bytes ? [] : someContent(random, wireType)),
  );
};

const unknownField: Mutator = (at, random) => {
  const number =
    random.pick([0, 1, 2, 3, 4, 15, 16, 99, 1000, 19_000, 2 ** 28, 2 ** 29 - 1]) + random.below(3);
  const wireType = random.pick([0, 1, 2, 5]);
  insert(at, random, wireNode(number, wireType, someContent(random, wireType)));
};

/** The number of a known field, with a bit set that a tag of 32 bits would lose. */
const wrappingNumber: Mutator = (at, random) => {
  const node = one(at, random, any);
  if (node !== undefined) node.number += random.pick([2 ** 29, 2 ** 30, 2 ** 32]);
};

const newerFields = new Map<string, { number: number; kind: number }[]>();
for (const table of [...requestTables.messages, ...responseTables.messages]) {
  const newer = [...table.codes.entries()].filter(([, code]) => roleOfCode(code) === Role.newer);
  if (newer.length > 0) {
    newerFields.set(
      table.name,
      newer.map(([number, code]) => ({ number, kind: code & 15 })),
    );
  }
}

/** A field that only newer clients know. */
const newerField: Mutator = (at, random) => {
  const known = at.shape.kind === 'message' ? newerFields.get(at.shape.desc.typeName) : undefined;
  if (known === undefined) return;
  const { number, kind } = random.pick(known);
  const wireType = kind === Kind.varint ? 0 : kind === Kind.fixed64 ? 1 : kind === Kind.fixed32 ? 5 : 2;
  insert(at, random, wireNode(number, wireType, someContent(random, wireType)));
};

const isNumbers = (at: Container, node: WireNode): boolean => {
  const field = fieldOf(at.shape, node.number);
  return field?.fieldKind === 'list' && field.message === undefined && wireTypeOf(field) !== WireType.bytes;
};

/** Packed numbers one by one, or a single number packed. */
const repack: Mutator = (at, random) => {
  const node = one(at, random, (it) => isNumbers(at, it) && it.content instanceof Uint8Array);
  if (node === undefined || !(node.content instanceof Uint8Array)) return;
  if (node.wireType !== WireType.bytes) {
    node.wireType = WireType.bytes;
    return;
  }
  const values = node.content.length === 0 ? [] : [...node.content];
  const single = values
    .filter((value) => value < 0x80)
    .map((value) => wireNode(node.number, 0, Uint8Array.of(value)));
  at.nodes.splice(at.nodes.indexOf(node), 1, ...single);
};

/** Nests a type that can hold itself, such as a failure with its causes. */
const nest: Mutator = (at, random) => {
  if (at.shape.kind !== 'message') return;
  const { desc } = at.shape;
  const field = desc.fields.find((it) => it.fieldKind === 'message' && it.message === desc);
  if (field === undefined) return;
  let inner = copyTree(at.nodes);
  for (let level = random.pick(DEPTHS); level > 0; level -= 1) {
    inner = [{ ...wireNode(field.number, WireType.bytes, inner), shape: at.shape }];
  }
  at.nodes.splice(0, at.nodes.length, ...inner);
};

const emptyMessage: Mutator = (at, random) => {
  const node = one(at, random, ({ shape }) => shape !== undefined);
  if (node !== undefined) node.content = [];
};

const mutators: readonly Mutator[] = [
  duplicate,
  reorder,
  reorder,
  drop,
  graft,
  graft,
  padTag,
  padLength,
  padValue,
  wrongLength,
  wrongWireType,
  group,
  badText,
  otherText,
  otherText,
  addField,
  addField,
  swapOneof,
  unknownField,
  wrappingNumber,
  newerField,
  newerField,
  repack,
  nest,
  emptyMessage,
];

/** Changes `nodes` in place, in one to four ways. @param donors other messages of the same type. */
export function mutateTree(
  nodes: WireNode[],
  shape: Shape,
  donors: readonly (readonly WireNode[])[],
  random: Random,
): void {
  const others = donors.flatMap((donor) => containersOf([...donor], shape));
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    // Anew each time: what one mutation adds, the next one may change.
    const all = containersOf(nodes, shape);
    random.pick(mutators)(random.pick(all), random, [...all, ...others]);
  }
}
