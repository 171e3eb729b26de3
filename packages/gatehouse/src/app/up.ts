import { takeWriterLock } from '#core/audit/writer-lock';
import { isNamespaceName } from '#base/model/namespace-id';
import { refuse } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import { describeEndpoint, type EndpointFile, writeEndpointFile } from './endpoint-file.ts';
import { homeAt } from './home.ts';
import { ensureClientCertificate, ensureServerCertificate } from './home-certificates.ts';
import { choosePort } from './choose-port.ts';
import { type Platform, type PlatformOptions, startPlatform, type WantedNamespace } from './start-platform.ts';

export const UP_ACCOUNT = 'local';
export const UP_DOMAIN = 'gatehouse.localhost';
export const UP_REGION = 'aws-local';
const GRPC_PORT = 7233;
const HTTPS_PORT = 7243;
const CERTIFICATE_LOOK_MS = 3_600_000;

export interface UpOptions {
  /** Absolute. */
  readonly home: string;
  /** gRPC port; 0 takes a free one. Undefined: 7233, or the next free one. */
  readonly port: number | undefined;
  /** Names besides `default`, without the account. */
  readonly namespaces: readonly string[];
  readonly log: Log;
  readonly path: string;
  readonly step: PlatformOptions['step'];
  /** Overrides for tests and for other storage. */
  readonly engineStorage?: Extract<PlatformOptions['engine'], { kind: 'embedded' }>['storage'];
  readonly nexusEnabled?: boolean;
}

export interface Up {
  readonly endpoint: EndpointFile;
  readonly platform: Platform;
  stop(drainMs: number): Promise<void>;
}

/** Everything on one machine: engine, directory, record and gateway in one home. */
export async function up(options: UpOptions): Promise<Up> {
  for (const name of options.namespaces) {
    if (!isNamespaceName(name)) {
      throw refuse('input_invalid', { publicDetail: 'a namespace name is 2 to 39 of a-z, 0-9 and single hyphens, starting with a letter' });
    }
  }
  const home = homeAt(options.home);
  await makePrivateFolder(home.root);
  const lock = await takeWriterLock(home.root).catch((cause: unknown) => {
    throw new Error(`another \`gatehouse up\` runs on ${home.root}; stop it, or give another --home`, { cause });
  });
  try {
    return await start(options, home, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function start(options: UpOptions, home: ReturnType<typeof homeAt>, release: () => Promise<unknown>): Promise<Up> {
  const names = { account: UP_ACCOUNT, domain: UP_DOMAIN };
  const ids = ['default', ...options.namespaces].map((name) => `${name}.${UP_ACCOUNT}`);
  const namespaces = await options.step('Preparing certificates', async () => {
    await ensureServerCertificate(home, names, systemClock.now());
    const wanted: WantedNamespace[] = [];
    for (const id of new Set(ids)) {
      wanted.push({ id, caPem: await ensureClientCertificate(home, id, systemClock.now()) });
    }
    return wanted;
  });
  const platform = await startPlatform({
    home,
    domain: UP_DOMAIN,
    region: UP_REGION,
    database: { kind: 'sqlite', path: home.directoryFile },
    engine: { kind: 'embedded', storage: options.engineStorage ?? { kind: 'sqlite' }, historyShards: 4 },
    nexusEnabled: options.nexusEnabled ?? false,
    namespaces,
    grpc: { host: '127.0.0.1', port: await choosePort(options.port, GRPC_PORT) },
    https: { host: '127.0.0.1', port: await choosePort(options.port === undefined ? undefined : 0, HTTPS_PORT) },
    certificateFile: home.serverCertificateFile,
    keyFile: home.serverKeyFile,
    allowTls12: false,
    log: options.log,
    path: options.path,
    step: options.step,
  });
  const { grpc, https } = platform.gateway;
  const endpoint = describeEndpoint({
    home,
    ...names,
    region: UP_REGION,
    grpc: `${grpc.host}:${grpc.port}`,
    https: https === undefined ? null : `${https.host}:${https.port}`,
    namespaceIds: [...platform.directory.snapshot().namespaces.keys()],
  });
  await writeEndpointFile(home, endpoint);
  const renew = setInterval(() => {
    ensureServerCertificate(home, names, systemClock.now()).catch((error: unknown) =>
      options.log.error('the server certificate could not be renewed', { error }),
    );
  }, CERTIFICATE_LOOK_MS);
  renew.unref();
  return {
    endpoint,
    platform,
    async stop(drainMs) {
      clearInterval(renew);
      await platform.stop(drainMs);
      await release();
    },
  };
}

