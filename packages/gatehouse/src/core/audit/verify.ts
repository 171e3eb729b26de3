import { verify as verifySignature } from 'node:crypto';
import { GENESIS_HASH, readLine, type WholeLine } from './chain.ts';
import { readLatestCheckpoint, type WitnessLine } from './latest-checkpoint.ts';
import { UNSIGNED_LINES_MAX } from './linking.ts';
import { checkpointMessage, isKnownFormat, parseCheckpoint, parseHeader } from './marker-lines.ts';
import { readLines } from './read-lines.ts';
import { listSegments } from './segment-files.ts';
import { parseVerificationKeys, readPublicKeyFile, type VerificationKeys } from './verification-keys.ts';

/** What a reading of the whole chain found. It holds exactly if `fault` is undefined. */
export interface ChainVerdict {
  readonly fault: ChainFault | undefined;
  readonly chain: string;
  readonly segments: number;
  /** Lines of all kinds that were found good. */
  readonly lines: number;
  /** Of the last good line; -1 and zeros where there is none. */
  readonly lastSeq: number;
  readonly lastHash: string;
  readonly checkpoints: number;
  /** Up to here a signature vouches for the chain; -1 where none does. */
  readonly signedSeq: number;
  /** Bytes after the last whole line: being written just now, or torn by a crash (the next start cuts them). */
  readonly tornBytes: number;
}

export interface ChainFault {
  /** The first sequence number that is not as it was written. */
  readonly seq: number;
  readonly segment: number;
  readonly reason: string;
}

export interface VerifyOptions {
  /** Whom to believe. Without it the key beside the chain, which proves nothing against who can write there. */
  readonly publicKeyPem?: string;
  /** Checkpoint lines put aside earlier (`parseWitness`): the chain must hold each of them (T-087). */
  readonly witness?: readonly WitnessLine[];
}

/**
 * Verifies the chain in a folder, also a copied one, in constant memory and without writing anything. May
 * run while the chain is being written. Sealed fields are verified as they stand: no key of theirs is needed,
 * and the chain holds after their keys were destroyed.
 * @throws where the folder cannot be read, holds no chain, or no public key is to be had.
 */
export async function verifyChain(folder: string, options: VerifyOptions = {}): Promise<ChainVerdict> {
  const keys = parseVerificationKeys(options.publicKeyPem ?? (await readPublicKeyFile(folder)));
  // Read before the segments: a chain that grows meanwhile is then never behind it.
  const latest = await readLatestCheckpoint(folder).catch((error: unknown) => String(error));
  const segments = await listSegments(folder);
  if (segments.length === 0) throw new Error(`there is no audit chain in ${folder}`);
  const witness = [...(options.witness ?? []), ...(typeof latest === 'object' ? [latest] : [])];
  const walk = startWalk(
    keys,
    Map.groupBy(witness, (line) => line.seq),
  );
  for (const [index, segment] of segments.entries()) {
    walk.beginSegment(index + 1, segment.number);
    for await (const { lines, rest } of readLines(segment.path)) {
      for (const line of lines) if (!walk.take(line)) return walk.verdict();
      walk.rest(rest);
    }
    if (!walk.endSegment(index === segments.length - 1)) return walk.verdict();
  }
  walk.end(typeof latest === 'string' ? latest : undefined);
  return walk.verdict();
}

interface Walk {
  beginSegment(expected: number, found: number): void;
  /** False at the first fault. */
  take(line: string): boolean;
  rest(bytes: string): void;
  endSegment(isLast: boolean): boolean;
  end(latestFault: string | undefined): void;
  verdict(): ChainVerdict;
}

type Mutable = { -readonly [K in keyof ChainVerdict]: ChainVerdict[K] };

function startWalk(keys: VerificationKeys, witness: ReadonlyMap<number, readonly WholeLine[]>): Walk {
  const found: Mutable = {
    fault: undefined,
    chain: '',
    segments: 0,
    lines: 0,
    lastSeq: -1,
    lastHash: GENESIS_HASH,
    checkpoints: 0,
    signedSeq: -1,
    tornBytes: 0,
  };
  let segment = 0;
  let atStart = false;

  const wrong = (seq: number, reason: string): false => {
    found.fault ??= { seq, segment, reason };
    return false;
  };

  const takeHeader = (line: string, seq: number): boolean => {
    const header = parseHeader(line);
    if (header === undefined) return wrong(seq, 'the header is not as it is written');
    if (!isKnownFormat(header.format))
      return wrong(seq, `format ${header.format} is not known to this version`);
    if (header.segment !== segment) return wrong(seq, `segment ${header.segment} stands in its place`);
    if (found.chain !== '' && header.chain !== found.chain) return wrong(seq, 'it is from another chain');
    found.chain = header.chain;
    return true;
  };

  const takeCheckpoint = (line: string, seq: number): boolean => {
    const fault = checkpointFault(line, keys, found.chain);
    if (fault !== undefined) return wrong(seq, `${fault} (signed last: ${found.signedSeq})`);
    found.checkpoints += 1;
    found.signedSeq = seq;
    return true;
  };

  return {
    beginSegment(expected, number) {
      segment = expected;
      atStart = true;
      if (number !== expected) wrong(found.lastSeq + 1, `segment ${expected} is missing`);
      else found.segments += 1;
    },
    take(line) {
      const seq = found.lastSeq + 1;
      if (found.fault !== undefined) return false;
      const whole = readLine(line);
      if (whole === undefined) return wrong(seq, 'the line was changed or is not a record');
      if (whole.seq !== seq) return wrong(seq, `record ${whole.seq} stands in its place`);
      // Both lines are whole in themselves, so it is the earlier one that was made anew.
      if (whole.prev !== found.lastHash)
        return wrong(Math.max(seq - 1, 0), 'the next record does not continue it');
      if (atStart !== (whole.kind === 'header')) return wrong(seq, 'header missing or out of place');
      if (atStart && !takeHeader(line, seq)) return false;
      atStart = false;
      if (whole.kind === 'checkpoint' && !takeCheckpoint(line, seq)) return false;
      if (seq - found.signedSeq > 2 * UNSIGNED_LINES_MAX)
        return wrong(seq, 'checkpoints are missing before it');
      // All of them: the copy in the folder must not stand in for the one from outside.
      if (witness.get(seq)?.some((line) => line.hash !== whole.hash)) {
        return wrong(seq, 'it differs from the checkpoint that was put aside');
      }
      found.lines += 1;
      found.lastSeq = seq;
      found.lastHash = whole.hash;
      return true;
    },
    rest(bytes) {
      found.tornBytes = bytes.length;
    },
    endSegment(isLast) {
      if (found.fault !== undefined) return false;
      if (isLast) return true;
      if (found.tornBytes > 0) return wrong(found.lastSeq + 1, 'the segment is torn, yet another follows');
      if (atStart) return wrong(found.lastSeq + 1, 'the segment is empty, yet another follows');
      if (found.signedSeq !== found.lastSeq) return wrong(found.lastSeq + 1, 'the segment was cut');
      return true;
    },
    end(latestFault) {
      const last = Math.max(-1, ...witness.keys());
      if (last > found.lastSeq)
        wrong(found.lastSeq + 1, `the chain was cut: it once went on to record ${last}`);
      if (found.signedSeq < 0) wrong(found.lastSeq + 1, 'no checkpoint was ever signed');
      if (latestFault !== undefined) wrong(found.lastSeq + 1, `the latest checkpoint's copy: ${latestFault}`);
    },
    verdict: () => ({ ...found }),
  };
}

function checkpointFault(line: string, keys: VerificationKeys, chain: string): string | undefined {
  const parsed = parseCheckpoint(line);
  if (parsed === undefined) return 'the checkpoint is not as it is written';
  const { checkpoint, signature } = parsed;
  const key = keys.get(checkpoint.keyId);
  if (key === undefined) return `signed by key ${checkpoint.keyId}, which is not trusted`;
  if (checkpoint.chain !== chain) return 'the checkpoint is of another chain';
  if (verifySignature(null, checkpointMessage(checkpoint), key, signature)) return undefined;
  return 'the signature does not fit: this record or one since the last checkpoint was changed';
}
