import { open, stat, unlink } from 'node:fs/promises';
import { syncFolder } from '#base/runtime/safe-file';
import { type ChainHead, GENESIS_HASH, readLine, type WholeLine } from './chain.ts';
import { LATEST_CHECKPOINT_FILE, readLatestCheckpoint } from './latest-checkpoint.ts';
import { isKnownFormat, parseHeader, type SegmentHeader } from './marker-lines.ts';
import { readLines } from './read-lines.ts';
import { listSegments } from './segment-files.ts';

/** Where a chain on disk ends, after its torn tail was cut. */
export interface ChainEnd {
  readonly head: ChainHead;
  /** Undefined where the folder holds no chain yet. */
  readonly last: { readonly header: SegmentHeader; readonly bytes: number } | undefined;
  /** Lines after the last checkpoint of the last segment. */
  readonly unsignedLines: number;
  /** Bytes of a torn tail that were cut away. */
  readonly cutBytes: number;
}

/** Our own chain is broken where no crash can break it: the process must stop, and nobody may mend it here. */
export class AuditChainCorrupt extends Error {
  constructor(path: string, seq: number, what: string) {
    super(
      `audit chain corrupt at record ${seq} (${path}): ${what}. Nothing was changed. Run 'gatehouse audit ` +
        `verify', keep the folder as evidence, and move it away to start a new chain.`,
    );
    this.name = 'AuditChainCorrupt';
  }
}

/**
 * Finds the chain's end and cuts what a crash left half-written behind it (F-13). Reads the last segment
 * only, so a start takes the same time whatever the number of records; the rest is for `verifyChain`.
 * @throws AuditChainCorrupt where whole lines follow a broken one, or the chain ends before a checkpoint
 *   that is known to have been on disk: that was no crash.
 */
export async function repairTail(folder: string): Promise<ChainEnd> {
  const segments = await listSegments(folder);
  const witness = await readLatestCheckpoint(folder).catch((cause: unknown) => {
    throw new AuditChainCorrupt(folder, 0, `${LATEST_CHECKPOINT_FILE} was changed (${String(cause)})`);
  });
  let cutBytes = 0;
  for (let index = segments.length - 1; index >= 0; index -= 1) {
    const segment = segments[index];
    if (segment === undefined) break;
    const scan = await scanSegment(segment, witness);
    const size = (await stat(segment.path)).size;
    if (scan.wholeBytes < size && index < segments.length - 1) {
      throw new AuditChainCorrupt(segment.path, scan.nextSeq, 'its segment ends torn, yet another follows');
    }
    cutBytes += size - scan.wholeBytes;
    if (scan.header !== undefined) {
      if (scan.wholeBytes < size) await cut(segment.path, scan.wholeBytes);
      return endOf(segment.path, scan, scan.header, witness, cutBytes);
    }
    // The crash came before the first line of a new segment was on disk.
    await unlink(segment.path);
    await syncFolder(folder);
  }
  if (witness !== undefined) throw new AuditChainCorrupt(folder, 0, 'its segments are gone');
  return { head: { seq: 0, hash: GENESIS_HASH }, last: undefined, unsignedLines: 0, cutBytes };
}

interface Scan {
  header: SegmentHeader | undefined;
  nextSeq: number;
  hash: string;
  /** Bytes of the whole lines from the segment's beginning. */
  wholeBytes: number;
  unsignedLines: number;
}

async function scanSegment(
  segment: { number: number; path: string },
  witness: WholeLine | undefined,
): Promise<Scan> {
  const scan: Scan = { header: undefined, nextSeq: 0, hash: '', wholeBytes: 0, unsignedLines: 0 };
  let torn = false;
  // A power cut can leave a hole of zeros in what was never synced, with later blocks behind it.
  let hole = false;
  for await (const { lines, rest } of readLines(segment.path)) {
    hole ||= rest.includes('\0');
    for (const line of lines) {
      const whole = readLine(line);
      hole ||= whole === undefined && line.includes('\0');
      if (whole === undefined) torn = true;
      else if (!torn) take(scan, segment, whole, line, witness);
      else if (!hole) throw new AuditChainCorrupt(segment.path, scan.nextSeq, 'a line was changed');
    }
  }
  return scan;
}

function take(
  scan: Scan,
  segment: { number: number; path: string },
  whole: WholeLine,
  line: string,
  witness: WholeLine | undefined,
): void {
  const corrupt = (what: string): AuditChainCorrupt =>
    new AuditChainCorrupt(segment.path, scan.nextSeq, what);
  if (scan.header === undefined) {
    if (whole.kind !== 'header') throw corrupt('its segment has no header');
    const header = parseHeader(line);
    if (header === undefined) throw corrupt('its header is not as it is written');
    if (!isKnownFormat(header.format)) throw corrupt(`format ${header.format} is not known here`);
    if (header.segment !== segment.number) throw corrupt('its segment has the name of another');
    scan.header = header;
  } else if (whole.seq !== scan.nextSeq || whole.prev !== scan.hash) {
    throw corrupt('a record is missing, out of order or changed');
  }
  if (whole.seq === witness?.seq && whole.hash !== witness.hash) throw corrupt('it is not the signed record');
  scan.nextSeq = whole.seq + 1;
  scan.hash = whole.hash;
  scan.wholeBytes += line.length + 1;
  scan.unsignedLines = whole.kind === 'checkpoint' ? 0 : scan.unsignedLines + 1;
}

function endOf(
  path: string,
  scan: Scan,
  header: SegmentHeader,
  witness: WholeLine | undefined,
  cutBytes: number,
): ChainEnd {
  if (witness !== undefined && witness.seq >= scan.nextSeq) {
    throw new AuditChainCorrupt(path, scan.nextSeq, `the chain once went on to record ${witness.seq}`);
  }
  return {
    head: { seq: scan.nextSeq, hash: scan.hash },
    last: { header, bytes: scan.wholeBytes },
    unsignedLines: scan.unsignedLines,
    cutBytes,
  };
}

async function cut(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}
