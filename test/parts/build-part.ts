import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface PartOptions {
  /** Where built parts are kept between runs; `~/.cache/gatehouse/parts` if not given. */
  readonly cacheFolder?: string;
  /** Told what is being done, one line at a time: a first build takes minutes. */
  readonly progress?: (line: string) => void;
}

/** Two cores, and other work on them: one build at a time, whoever asks. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * The folder of a part that is built once for each different `inputs`. `build` fills an empty folder, which takes
 * its final name only when it is complete: an interrupted or a concurrent build leaves nothing half done, so
 * nothing in it may depend on the folder's own path.
 */
export function buildPart(
  name: string,
  inputs: readonly string[],
  options: PartOptions,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const cache = options.cacheFolder ?? join(homedir(), '.cache', 'gatehouse', 'parts');
  const hash = createHash('sha256').update(JSON.stringify([process.platform, process.arch, ...inputs]));
  const folder = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  const built = queue.then(async () => {
    if (existsSync(folder)) return folder;
    await mkdir(cache, { recursive: true });
    const unfinished = await mkdtemp(join(cache, `.${name}-`));
    try {
      await build(unfinished);
      await rename(unfinished, folder).catch((error: unknown) => {
        // Another process was faster, with the same inputs.
        if (!existsSync(folder)) throw error;
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
    return folder;
  });
  queue = built.catch(() => undefined);
  return built;
}
