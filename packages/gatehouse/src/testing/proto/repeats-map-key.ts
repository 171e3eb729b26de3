import { type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { parseWireTree, type WireNode, writeWireTree } from './wire-tree.ts';

/**
 * Do two entries of one map in this message have the same key? Decoders keep the last of them, the scanner sees
 * both. Where that cannot be told, because the bytes are not well-formed everywhere, the answer is yes.
 */
export function repeatsMapKey(desc: DescMessage, bytes: Uint8Array): boolean {
  try {
    return repeats(parseWireTree({ kind: 'message', desc }, bytes));
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
