import { constants, copyFile, rename, rm, stat, truncate } from 'node:fs/promises';

/** Size at which the engine's log is put aside, and how many old ones stay. */
const LOG_BYTES_MAX: number = 16 * 1024 * 1024;
const LOGS_KEPT = 3;

/**
 * Puts a log that has grown too large aside as `<file>.1`, older ones as `.2` and so on. The engine writes to
 * the file itself and cannot be told to open another, so the file is copied and emptied; it writes with
 * O_APPEND and goes on at the start. Lines of the moment between may be lost.
 * @returns true when it was rotated.
 */
export async function rotateLog(file: string, bytesMax = LOG_BYTES_MAX, kept = LOGS_KEPT): Promise<boolean> {
  const size = await stat(file).then(
    (facts) => facts.size,
    () => 0,
  );
  if (size < bytesMax) return false;
  await rm(`${file}.${kept}`, { force: true });
  for (let age = kept - 1; age >= 1; age -= 1) {
    await rename(`${file}.${age}`, `${file}.${age + 1}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  // The copy takes the mode of the original: 0600.
  await copyFile(file, `${file}.1`, constants.COPYFILE_FICLONE);
  await truncate(file, 0);
  return true;
}
