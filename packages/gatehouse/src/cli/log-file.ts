import { createWriteStream, mkdirSync, openSync, renameSync, statSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { createLog, type Log, type LogLevel } from '#base/runtime/log';

export interface LogFile {
  readonly log: Log;
  setLevel(level: LogLevel): void;
}

/** Two files of this size at most: a log must not fill the disk. */
const BYTES_MAX = 16 * 1024 * 1024;

/** The operator's log as a file of JSON lines (0600); the file before it is kept as `.1`. */
export function openLogFile(path: string, level: LogLevel, bytesMax: number = BYTES_MAX): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let stream = openStream(path);
  const settings = {
    level,
    write(line: string) {
      bytes += Buffer.byteLength(line);
      if (bytes > bytesMax) {
        stream = rotate(path, stream);
        bytes = Buffer.byteLength(line);
      }
      stream.write(line);
    },
  };
  return {
    log: createLog(settings),
    setLevel(next) {
      settings.level = next;
    },
  };
}

function openStream(path: string): WriteStream {
  // Opened at once: a stream that opens later could open the file that a rotation has put in its place.
  const stream = createWriteStream(path, { fd: openSync(path, 'a', 0o600) });
  // A full disk must not end the process; the audit chain is what must not be lost, and it fails closed.
  stream.on('error', () => undefined);
  return stream;
}

function rotate(path: string, old: WriteStream): WriteStream {
  try {
    renameSync(path, `${path}.1`);
    const next = openStream(path);
    old.end();
    return next;
  } catch {
    // No room, or moved away by somebody else: the old one serves as long as it can.
    return old;
  }
}
