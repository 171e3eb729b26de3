import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackgroundProgram } from './background-program.ts';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { runStep } from './run-step.ts';
import type { WorkerTarget } from './worker-process.ts';

/** The newest that builds with the Go that is pinned here; its pages are in the program. */
const module = 'github.com/temporalio/ui-server/v2/cmd/server@v2.55.0';

/** Path of the Web UI's server, built once; Go's checksum database vouches for the source. */
async function obtainWebUi(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('web-ui', [module], options, async (into) => {
    options.progress?.(`web-ui: go install ${module}`);
    await runStep('go', ['install', '-trimpath', module], {
      cwd: into,
      env: { GOBIN: into, GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'server');
}

export interface WebUiSettings {
  /** The namespace whose certificate it shows to the gateway. */
  readonly target: Required<WorkerTarget>;
  /** Of the loopback; its origin is `http://localhost:<port>`. */
  readonly port: number;
  /** What it tells browsers to decode with, where they say nothing themselves. */
  readonly codec?: { readonly endpoint: string; readonly passAccessToken: boolean };
  /** Whom people sign in with; undefined: nobody signs in. */
  readonly signIn?: { readonly issuer: string; readonly clientId: string };
}

/** The Web UI's own server, told what its documentation says. */
export async function startWebUi(settings: WebUiSettings): Promise<{ close(): Promise<void> }> {
  const program = await obtainWebUi();
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-web-ui-'));
  await mkdir(join(folder, 'config'));
  // JSON is YAML.
  await writeFile(join(folder, 'config', 'parts.yaml'), JSON.stringify(configuration(settings)));
  const server = await startBackgroundProgram(program, ['--root', folder, '--env', 'parts', 'start'], {
    env: cleanEnv(),
    isReady: async () => await isHealthy(settings.port),
  });
  return {
    async close() {
      await server.kill('SIGTERM');
      await rm(folder, { recursive: true });
    },
  };
}

function configuration({ target, port, codec, signIn }: WebUiSettings): object {
  const { caFile, certificateFile, keyFile, serverName } = target.tls;
  const provider = signIn && {
    label: 'test',
    type: 'oidc',
    providerUrl: signIn.issuer,
    clientId: signIn.clientId,
    clientSecret: 'of nobody',
    scopes: ['openid'],
    callbackUrl: `http://localhost:${port}/auth/sso/callback`,
  };
  return {
    temporalGrpcAddress: target.address,
    tls: { caFile, certFile: certificateFile, keyFile, serverName, enableHostVerification: true },
    host: '127.0.0.1',
    port,
    enableUi: true,
    defaultNamespace: target.namespace,
    disableNewsFetch: true,
    hideLogs: true,
    ...(codec && { codec }),
    ...(provider && { auth: { enabled: true, providers: [provider] } }),
  };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // Not listening yet.
    return false;
  }
}
