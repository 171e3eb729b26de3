import { createWriteStream, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createLog, type Log, type LogLevel } from '#base/runtime/log';

const BYTES_MAX = 16 * 1024 * 1024;

/** The operator's log as a file of JSON lines (0600); the file before it is kept as `.1`. */
export function openLogFile(path: string, level: LogLevel): Log {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > BYTES_MAX) renameSync(path, `${path}.1`);
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
  // A full disk must not end the process; the audit chain is what must not be lost, and it fails closed.
  stream.on('error', () => undefined);
  return createLog({ level, write: (line) => stream.write(line) });
}
