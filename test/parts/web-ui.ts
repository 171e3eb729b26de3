import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackgroundProgram, startBackgroundProgram } from './background-program.ts';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { freePorts } from './free-ports.ts';
import { runStep } from './run-step.ts';
import type { WorkerTarget } from './worker-process.ts';

/** The newest that builds with the Go that is pinned here; its pages are in the program. */
const module = 'github.com/temporalio/ui-server/v2/cmd/server@v2.55.0';

/** Path of the Web UI's server, built once; Go's checksum database vouches for the source. */
export async function obtainWebUi(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('web-ui', [module], options, async (into) => {
    options.progress?.(`web-ui: go install ${module}`);
    await runStep('go', ['install', '-trimpath', module], {
      cwd: into,
      env: { GOBIN: into, GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'server');
}
