// Preloaded into the gateway's process by the soak (NODE_OPTIONS): what is really in use, after a collection.
import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const PROBE_MS = 2000;
const file = process.env['SOAK_PROBE_FILE'];

if (isMainThread && file !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  setInterval(() => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    appendFileSync(
      file,
      `${JSON.stringify({ pid: process.pid, at: Date.now(), bytes: heapUsed + external })}\n`,
    );
  }, PROBE_MS).unref();
}
