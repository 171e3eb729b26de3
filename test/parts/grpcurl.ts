import { join } from 'node:path';
import { buildPart, type PartOptions } from './build-part.ts';
import { runStep } from './run-step.ts';

/** The newest that was built with the Go that is pinned here. */
const module = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';

/** Path of `grpcurl`, built once; Go's checksum database vouches for the source. */
export async function obtainGrpcurl(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('grpcurl', [module], options, async (into) => {
    options.progress?.(`grpcurl: go install ${module}`);
    await runStep('go', ['install', '-trimpath', module], {
      cwd: into,
      env: { GOBIN: into, GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'grpcurl');
}
