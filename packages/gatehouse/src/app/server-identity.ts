import { readFile, stat } from 'node:fs/promises';
import type { Log } from '#base/runtime/log';
import type { ServerIdentity } from '#base/wire/tls-listener';

const POLL_MS = 1000;

/**
 * Follows the server certificate's files and hands a new pair on. A pair that cannot be used is refused,
 * and the old one stays (F-15). @returns how to stop.
 */
export function watchServerIdentity(
  options: { readonly certificateFile: string; readonly keyFile: string; readonly log: Log },
  apply: (identity: ServerIdentity) => void,
): () => void {
  let seen = '';
  let busy = false;
  const look = async (): Promise<void> => {
    const stats = await Promise.all([stat(options.certificateFile), stat(options.keyFile)]);
    const now = stats.map((each) => `${each.mtimeMs}:${each.size}:${each.ino}`).join(' ');
    if (now === seen) return;
    const first = seen === '';
    seen = now;
    if (first) return;
    const [certificate, privateKey] = await Promise.all([
      readFile(options.certificateFile, 'utf8'),
      readFile(options.keyFile, 'utf8'),
    ]);
    apply({ certificate, privateKey });
    options.log.info('the server certificate was replaced');
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    look()
      .catch((error: unknown) => options.log.warn('the new server certificate cannot be used; the old one stays', { error }))
      .finally(() => {
        busy = false;
      });
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
