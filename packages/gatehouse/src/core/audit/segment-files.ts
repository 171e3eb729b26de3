import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '#base/runtime/safe-file';

/** One open segment. Writes name their position, so a failed one can simply be done again. */
export interface SegmentFile {
  /** Resolves when all bytes were taken by the system; they are on disk only after `sync`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The files of a chain, as a parameter: tests put in a disk that is full, slow or broken. */
export interface SegmentFiles {
  /** A new, empty segment (0600), itself on disk and so is its name. */
  create(path: string): Promise<SegmentFile>;
  /** A segment that is there, for going on. */
  reopen(path: string): Promise<SegmentFile>;
}

export const diskSegmentFiles: SegmentFiles = {
  async create(path) {
    // Not exclusive: what can be here is the empty leftover of our own attempt on a full disk.
    const handle = await open(path, constants.O_CREAT | constants.O_TRUNC | constants.O_RDWR, 0o600);
    try {
      await handle.sync();
      await syncFolder(join(path, '..'));
    } catch (error) {
      await handle.close();
      throw error;
    }
    return segmentFile(handle);
  },
  async reopen(path) {
    return segmentFile(await open(path, 'r+'));
  },
};

/** Number and path of each segment in a folder, in order. Other files are passed over. */
export async function listSegments(folder: string): Promise<{ number: number; path: string }[]> {
  const segments: { number: number; path: string }[] = [];
  for (const name of await readdir(folder)) {
    const digits = SEGMENT_NAME.exec(name)?.[1];
    if (digits !== undefined) segments.push({ number: Number(digits), path: join(folder, name) });
  }
  return segments.sort((a, b) => a.number - b.number);
}

const SEGMENT_NAME = /^(\d{8})\.jsonl$/;

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(8, '0')}.jsonl`);
}

function segmentFile(handle: FileHandle): SegmentFile {
  return {
    async write(bytes, position) {
      let done = 0;
      while (done < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}
