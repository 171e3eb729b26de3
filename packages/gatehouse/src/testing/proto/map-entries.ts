import { type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { parseWireTree, type WireNode, writeWireTree } from './wire-tree.ts';

/** Do two entries of one map in this message have the same key? Decoders keep the last, the scanner sees both. */
export function repeatsMapKey(desc: DescMessage, bytes: Uint8Array): boolean {
  return mayBe(repeats, desc, bytes);
}

/** Has an entry of a map in this message no value? Decoders make an empty one up, the scanner sees none. */
export function lacksMapValue(desc: DescMessage, bytes: Uint8Array): boolean {
  return mayBe(lacks, desc, bytes);
}

/** Where it cannot be told, because the bytes are not well-formed everywhere, the answer is yes. */
function mayBe(is: (nodes: readonly WireNode[]) => boolean, desc: DescMessage, bytes: Uint8Array): boolean {
  try {
    return is(parseWireTree({ kind: 'message', desc }, bytes));
  } catch {
    // Parts of replies that nobody looks into may be anything.
    return true;
  }
}

function repeats(nodes: readonly WireNode[]): boolean {
  const seen = new Set<string>();
  for (const node of nodes) {
    if (node.content instanceof Uint8Array) continue;
    if (node.shape?.kind === 'entry') {
      // Numbers have several forms on the wire: two entries are enough to be in doubt.
      const isText = node.shape.field.mapKey === ScalarType.STRING;
      const key = `${node.number} ${isText ? keyOf(node.content) : ''}`;
      if (seen.has(key)) return true;
      seen.add(key);
    }
    if (repeats(node.content)) return true;
  }
  return false;
}

function keyOf(entry: readonly WireNode[]): string {
  const key = entry.findLast(({ number }) => number === 1);
  if (key === undefined) return '';
  return Buffer.from(key.content instanceof Uint8Array ? key.content : writeWireTree(key.content)).toString(
    'hex',
  );
}

function lacks(nodes: readonly WireNode[]): boolean {
  return nodes.some(({ shape, content }) => {
    if (content instanceof Uint8Array) return shape?.kind === 'entry' && content.length === 0;
    const bare = shape?.kind === 'entry' && !content.some(({ number }) => number === 2);
    return bare || lacks(content);
  });
}
