import { resolve } from 'node:path';
import type { Machine } from '#app/open-engine';

/** What the environment says of this machine: where programs are, and where built engines are kept. */
export function machineOf(environment: NodeJS.ProcessEnv): Machine {
  const cache = environment['GATEHOUSE_CACHE'];
  return {
    path: environment['PATH'] ?? '',
    ...(cache === undefined || cache === '' ? {} : { cacheFolder: resolve(cache) }),
    // Of these the build takes what `go` needs and nothing else.
    goEnvironment: environment,
  };
}

/** Where the home is unless `--home` says so. */
export function defaultHome(environment: NodeJS.ProcessEnv): string {
  const home = environment['GATEHOUSE_HOME'];
  return home === undefined || home === '' ? '.gatehouse' : home;
}
