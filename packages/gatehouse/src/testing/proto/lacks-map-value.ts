import type { DescMessage } from '@bufbuild/protobuf';
import { parseWireTree, type WireNode } from './wire-tree.ts';

/**
 * Has an entry of a map in this message no value? Decoders make an empty one up, the scanner sees none. Where
 * that cannot be told, because the bytes are not well-formed everywhere, the answer is yes.
 */
export function lacksMapValue(desc: DescMessage, bytes: Uint8Array): boolean {
  try {
    return lacks(parseWireTree({ kind: 'message', desc }, bytes));
  } catch {
    // Parts of replies that nobody looks into may be anything.
    return true;
  }
}

function lacks(nodes: readonly WireNode[]): boolean {
  return nodes.some(({ shape, content }) => {
    if (content instanceof Uint8Array) return shape?.kind === 'entry' && content.length === 0;
    const bare = shape?.kind === 'entry' && !content.some(({ number }) => number === 2);
    return bare || lacks(content);
  });
}
