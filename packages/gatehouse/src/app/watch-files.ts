import { stat } from 'node:fs/promises';

export interface FileWatch {
  stop(): void;
}

export interface FileWatchOptions {
  /** What `signatureOf` gave before the files were read; the state at the call unless told. */
  readonly since?: string;
  readonly pollMs?: number;
}

const POLL_MS = 500;

/**
 * Calls `changed` when one of the files has changed and all have then been still for one look, so that a pair
 * that is replaced one after the other is seen whole. Asks instead of being told: that works on every file
 * system, through links, and where files are replaced by renaming.
 * @param files read anew at each look. @param changed must not reject.
 */
export function watchFiles(
  files: () => readonly string[],
  changed: () => Promise<void>,
  options: FileWatchOptions = {},
): FileWatch {
  let known = options.since;
  let last: string | undefined;
  let busy = false;
  const look = async (): Promise<void> => {
    const now = await signatureOf(files());
    const isStill = now === last;
    last = now;
    known ??= now;
    if (now === known || !isStill) return;
    known = now;
    await changed();
  };
  const lookOnce = (): void => {
    if (busy) return;
    busy = true;
    void look().finally(() => {
      busy = false;
    });
  };
  lookOnce();
  const timer = setInterval(lookOnce, options.pollMs ?? POLL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** What tells one state of files from another: a change of any of them changes it. */
export async function signatureOf(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(signature))).join(' ');
}

async function signature(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, size, ino, mode } = await stat(file);
    return `${file}:${mtimeMs}:${ctimeMs}:${size}:${ino}:${mode}`;
  } catch {
    // Gone, or not readable: a change like any other, which whoever reads it reports.
    return `${file}:missing`;
  }
}
