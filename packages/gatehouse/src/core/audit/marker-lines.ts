import { type ChainHead, type ChainLine, sealLine } from './chain.ts';
import { lineFields } from './line-fields.ts';

/**
 * The two kinds of line that are not events. A `header` begins each segment; a `checkpoint` signs all that
 * came before it. Both are links of the chain like any other line.
 */
export interface SegmentHeader {
  readonly format: number;
  /** Random name of the whole chain: two gateways never write the same one. */
  readonly chain: string;
  /** Number of the segment, from 1; its file has the same. */
  readonly segment: number;
  readonly timeMs: number;
  readonly keyId: string;
}

/** Segments of this format hold their personal fields sealed. Those of format 1, from before, hold them open. */
export const FORMAT = 2;

/** Readers refuse a format that they do not know. */
export function isKnownFormat(format: number): boolean {
  return format === 1 || format === FORMAT;
}

/** Its `prev` is the last hash of the segment before. */
export function headerLine(head: ChainHead, header: SegmentHeader): ChainLine {
  return sealLine(
    `{"seq":${head.seq},"prev":"${head.hash}","kind":"header","format":${header.format},` +
      `"chain":${JSON.stringify(header.chain)},"segment":${header.segment},"timeMs":${header.timeMs},` +
      `"keyId":"${header.keyId}"`,
  );
}

/** `hash` is the hash of line `seq - 1`, hence of everything up to it; the signature is Ed25519, base64. */
export interface Checkpoint {
  readonly seq: number;
  readonly hash: string;
  readonly chain: string;
  readonly timeMs: number;
  readonly keyId: string;
}

/** The bytes that a checkpoint's signature covers. The first line keeps them apart from all else the key signs. */
export function checkpointMessage(checkpoint: Checkpoint): Buffer {
  const { chain, seq, hash, timeMs, keyId } = checkpoint;
  return Buffer.from(
    `gatehouse audit checkpoint 1\n${chain}\n${seq}\n${hash}\n${timeMs}\n${keyId}\n`,
    'utf8',
  );
}

export function checkpointLine(checkpoint: Checkpoint, signature: Uint8Array): ChainLine {
  const { chain, seq, hash, timeMs, keyId } = checkpoint;
  return sealLine(
    `{"seq":${seq},"prev":"${hash}","kind":"checkpoint","chain":${JSON.stringify(chain)},` +
      `"timeMs":${timeMs},"keyId":"${keyId}","signature":"${Buffer.from(signature).toString('base64')}"`,
  );
}

/** @returns undefined where the line, whole in itself, is none that `headerLine` writes. */
export function parseHeader(line: string): SegmentHeader | undefined {
  const fields = lineFields(line, HEADER_FIELDS);
  if (fields === undefined) return undefined;
  const { format, chain, segment, timeMs, keyId } = fields;
  return { format, chain, segment, timeMs, keyId };
}

/** @returns undefined where the line, whole in itself, is none that `checkpointLine` writes. */
export function parseCheckpoint(
  line: string,
): { readonly checkpoint: Checkpoint; readonly signature: Buffer } | undefined {
  const fields = lineFields(line, CHECKPOINT_FIELDS);
  if (fields === undefined) return undefined;
  const { seq, prev, chain, timeMs, keyId, signature } = fields;
  return {
    checkpoint: { seq, hash: prev, chain, timeMs, keyId },
    signature: Buffer.from(signature, 'base64'),
  };
}

const HEADER_FIELDS = {
  format: 'number',
  chain: 'string',
  segment: 'number',
  timeMs: 'number',
  keyId: 'string',
} as const;
const CHECKPOINT_FIELDS = {
  seq: 'number',
  prev: 'string',
  chain: 'string',
  timeMs: 'number',
  keyId: 'string',
  signature: 'string',
} as const;
