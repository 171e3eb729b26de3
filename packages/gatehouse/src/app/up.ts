import { defaultLimits, type PlatformLimits } from '#base/model/limits';
import { isNamespaceName, parseNamespaceId } from '#base/model/namespace-id';
import { refuse } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { takeProcessLock } from '#base/runtime/process-lock';
import { makePrivateFolder } from '#base/runtime/safe-file';
import type { DatabaseOptions } from '#base/store/database/database';
import type { EncryptionSettings } from '#base/store/directory';
import { choosePort } from './choose-port.ts';
import { describeEndpoint, type EndpointFile, writeEndpointFile } from './endpoint-file.ts';
import { type Home, homeAt } from './home.ts';
import { ensureClientCertificate, ensureServerCertificate, namespaceFolders } from './home-certificates.ts';
import type { EngineChoice, Machine, Step } from './open-engine.ts';
import { type Platform, type PlatformOptions, startPlatform } from './start-platform.ts';
import type { WantedNamespace } from './wanted-namespace.ts';

const UP_ACCOUNT = 'local';
const UP_DOMAIN = 'gatehouse.localhost';
const UP_REGION = 'aws-local';
const NAMES = { account: UP_ACCOUNT, domain: UP_DOMAIN };
const GRPC_PORT = 7233;
const HTTPS_PORT = 7243;
const SEALED: EncryptionSettings = { sealing: 'on' };
/** Nobody has to be protected from a neighbour here, and scripts look for what they wait for again and again. */
const UP_LIMITS: PlatformLimits = {
  ...defaultLimits,
  namespace: { ...defaultLimits.namespace, visibilityPerSecond: 200 },
};
const CERTIFICATE_LOOK_MS = 3_600_000;

export interface UpOptions extends Machine {
  /** Absolute. */
  readonly home: string;
  /** gRPC port; 0 takes a free one. Undefined: 7233, or the next free one. */
  readonly port: number | undefined;
  /** Names besides `default`, without the account. */
  readonly namespaces: readonly string[];
  readonly log: Log;
  readonly step: Step;
  /** Overrides for tests and for other storage. */
  readonly engineStorage?: Extract<EngineChoice, { kind: 'embedded' }>['storage'];
  readonly database?: DatabaseOptions;
  readonly nexusEnabled?: boolean;
  /** How every namespace's payloads are kept: sealed, unless said otherwise. */
  readonly encryption?: EncryptionSettings;
  readonly kms?: NonNullable<PlatformOptions['kms']>;
  readonly keyLives?: NonNullable<PlatformOptions['keyLives']>;
  readonly nexusEndpoints?: NonNullable<PlatformOptions['nexusEndpoints']>;
  /** More than one gateway process. */
  readonly processes?: NonNullable<PlatformOptions['processes']>;
  /** Absent: the defaults, with as many searches as the engine takes. */
  readonly limits?: PlatformLimits;
}

export interface Up {
  readonly endpoint: EndpointFile;
  readonly platform: Platform;
  stop(drainMs: number): Promise<void>;
}

/**
 * Everything on one machine: engine, directory, record and gateway in one home.
 * @throws Error with a plain sentence where it cannot be.
 */
export async function up(options: UpOptions): Promise<Up> {
  for (const name of options.namespaces) {
    if (!isNamespaceName(name)) {
      throw refuse('input_invalid', {
        publicDetail: 'a namespace name is 2 to 39 of a-z, 0-9 and single hyphens, starting with a letter',
      });
    }
  }
  const home = homeAt(options.home);
  await makePrivateFolder(home.root);
  const lock = await takeProcessLock(
    home.root,
    (pid) => `another gatehouse process (${pid}) runs on ${home.root}; stop it, or give another --home`,
  );
  try {
    return await start(options, home, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function start(options: UpOptions, home: Home, release: () => Promise<unknown>): Promise<Up> {
  const ids = new Set(['default', ...options.namespaces].map((name) => `${name}.${UP_ACCOUNT}`));
  // Those of an earlier `up` keep their certificates fresh too.
  for (const id of await namespaceFolders(home)) if (isOurs(id)) ids.add(id);
  const namespaces = await options.step('Preparing certificates', () =>
    prepareCertificates(home, ids, options),
  );
  const platform = await startPlatform({
    ...options,
    home,
    domain: UP_DOMAIN,
    region: UP_REGION,
    database: options.database ?? { kind: 'sqlite', path: home.directoryFile },
    engine: { kind: 'embedded', storage: options.engineStorage ?? { kind: 'sqlite' }, historyShards: 4 },
    nexusEnabled: options.nexusEnabled ?? false,
    namespaces,
    grpc: { host: '127.0.0.1', port: await choosePort(options.port, GRPC_PORT) },
    https: {
      host: '127.0.0.1',
      port: await choosePort(options.port === undefined ? undefined : 0, HTTPS_PORT),
    },
    certificateFile: home.serverCertificateFile,
    keyFile: home.serverKeyFile,
    allowTls12: false,
    limits: options.limits ?? UP_LIMITS,
  });
  try {
    return await describe(options, { home, platform, ids }, release);
  } catch (error) {
    await platform.stop(0);
    throw error;
  }
}

/** Writes what users need to reach the platform, and keeps it fresh. */
async function describe(
  { log, encryption = SEALED }: UpOptions,
  { home, platform, ids }: { readonly home: Home; readonly platform: Platform; readonly ids: Set<string> },
  release: () => Promise<unknown>,
): Promise<Up> {
  // One whose folder is gone is in the directory all the same: it gets a new CA.
  const unseen = [...platform.directory.snapshot().namespaces.keys()].filter(
    (id) => isOurs(id) && !ids.has(id),
  );
  for (const id of unseen) ids.add(id);
  const renew = async (): Promise<void> => {
    await platform.applyNamespaces(await prepareCertificates(home, ids, { encryption }));
  };
  if (unseen.length > 0) await renew();
  const { grpc, https } = platform.gateway;
  const endpoint = describeEndpoint({
    home,
    ...NAMES,
    region: UP_REGION,
    grpc: `${grpc.host}:${grpc.port}`,
    https: https === undefined ? null : `${https.host}:${https.port}`,
    namespaceIds: [...ids],
  });
  await writeEndpointFile(home, endpoint);
  const renewal = setInterval(() => {
    renew().catch((error: unknown) => log.error('certificates could not be renewed', { error }));
  }, CERTIFICATE_LOOK_MS);
  renewal.unref();
  return {
    endpoint,
    platform,
    async stop(drainMs) {
      clearInterval(renewal);
      await platform.stop(drainMs);
      await release();
    },
  };
}

/** Makes what is missing or due: the server's certificate, and a CA and a client certificate per namespace. */
async function prepareCertificates(
  home: Home,
  ids: ReadonlySet<string>,
  { encryption = SEALED }: Pick<UpOptions, 'encryption'>,
): Promise<readonly WantedNamespace[]> {
  const nowMs = systemClock.now();
  await ensureServerCertificate(home, NAMES, nowMs);
  const wanted: WantedNamespace[] = [];
  for (const id of ids)
    wanted.push({ id, caPem: await ensureClientCertificate(home, id, nowMs), encryption });
  return wanted;
}

/** What else lies in the folder is not ours to judge. */
function isOurs(folder: string): boolean {
  try {
    return parseNamespaceId(folder).account === UP_ACCOUNT;
  } catch {
    return false;
  }
}
