import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { engineApiRegistry } from '#base/proto/api-registry';

/** What the bytes of a message-like field hold. */
export type Shape =
  | { readonly kind: 'message'; readonly desc: DescMessage }
  | { readonly kind: 'entry'; readonly field: DescField & { fieldKind: 'map' } };

/** One field as it lies on the wire. Everything can be changed, also into what no writer would write. */
export interface WireNode {
  number: number;
  wireType: number;
  /** Bytes of a varint or of a fixed value, content of a length-delimited one, or its fields. */
  content: Uint8Array | WireNode[];
  /** What `content` is made of, where it is a message. */
  shape: Shape | undefined;
  /** Needless bytes in the varint of the tag and of the length. */
  tagPadding: number;
  lengthPadding: number;
  /** Added to the true length. */
  lengthError: number;
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

export function wireNode(number: number, wireType: number, content: Uint8Array | WireNode[]): WireNode {
  return { number, wireType, content, shape: undefined, tagPadding: 0, lengthPadding: 0, lengthError: 0 };
}

/** Reads a well-formed message into a tree, messages inside Any included. @throws Error on other bytes. */
export function parseWireTree(shape: Shape, bytes: Uint8Array): WireNode[] {
  const nodes: WireNode[] = [];
  let pos = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[pos++];
      if (byte === undefined) throw new Error('the bytes end inside a varint');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (pos < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    const start = pos;
    let contentStart = start;
    if (wireType === WireType.varint) varint();
    else if (wireType === WireType.fixed64) pos += 8;
    else if (wireType === WireType.fixed32) pos += 4;
    else if (wireType === WireType.bytes) {
      const length = varint();
      contentStart = pos;
      pos += length;
    } else throw new Error(`wire type ${wireType}`);
    if (pos > bytes.length) throw new Error('the bytes end inside a field');
    const node = wireNode(Math.floor(tag / 8), wireType, bytes.slice(contentStart, pos));
    nodes.push(node);
  }
  for (const node of nodes) openNode(shape, nodes, node);
  return nodes;
}

function openNode(shape: Shape, siblings: readonly WireNode[], node: WireNode): void {
  if (node.wireType !== WireType.bytes || !(node.content instanceof Uint8Array)) return;
  node.shape = shapeInside(shape, siblings, node.number);
  if (node.shape !== undefined) node.content = parseWireTree(node.shape, node.content);
}

function shapeInside(shape: Shape, siblings: readonly WireNode[], number: number): Shape | undefined {
  if (shape.kind === 'entry') {
    return number === 2 && shape.field.message !== undefined
      ? { kind: 'message', desc: shape.field.message }
      : undefined;
  }
  if (shape.desc.typeName === AnySchema.typeName) {
    const url = siblings.find((sibling) => sibling.number === 1)?.content;
    if (number !== 2 || !(url instanceof Uint8Array)) return undefined;
    const text = Buffer.from(url).toString('utf8');
    const desc = engineApiRegistry().getMessage(text.slice(text.lastIndexOf('/') + 1));
    return desc === undefined ? undefined : { kind: 'message', desc };
  }
  const field = fieldOf(shape, number);
  if (field?.fieldKind === 'map') return { kind: 'entry', field };
  return field?.message === undefined ? undefined : { kind: 'message', desc: field.message };
}

/** The field that a node is, by its parent's shape; undefined inside the entry of a map. */
export function fieldOf(shape: Shape, number: number): DescField | undefined {
  return shape.kind === 'message' ? shape.desc.fields.find((field) => field.number === number) : undefined;
}

export function varintBytes(value: number, padding = 0): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  for (let count = 0; count < padding; count += 1) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 0x80;
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

export function writeWireTree(nodes: readonly WireNode[]): Uint8Array {
  return Buffer.concat(nodes.flatMap(writeNode));
}

function writeNode(node: WireNode): Uint8Array[] {
  const content = node.content instanceof Uint8Array ? node.content : writeWireTree(node.content);
  const tag = varintBytes(node.number * 8 + node.wireType, node.tagPadding);
  if (node.wireType === WireType.startGroup) {
    return [tag, content, varintBytes(node.number * 8 + WireType.endGroup)];
  }
  if (node.wireType !== WireType.bytes) return [tag, content];
  const length = Math.max(0, content.length + node.lengthError);
  return [tag, varintBytes(length, node.lengthPadding), content];
}
