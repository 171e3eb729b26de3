import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makePrivateFolder, writeFileAtomic } from '#base/runtime/safe-file';
import { buildDynamicConfig } from './engine-dynamic-config.ts';
import { EngineError } from './engine-error.ts';
import type { EngineHome } from './engine-home.ts';
import type { EnginePorts, EngineService } from './engine-ports.ts';
import { ROOTS_CAN_BE_CHOSEN } from './engine-roots.ts';
import { buildDatastores, type EngineStorage } from './engine-storage.ts';

/** The audience that our tokens carry; an empty one would switch the check off. */
export const ENGINE_AUDIENCE = 'gatehouse-engine';
/** Server name in the frontend's certificate. */
export const FRONTEND_NAME = 'engine-frontend';
/** Server name in the certificate that the engine's services show one another. */
export const INTERNODE_NAME = 'engine-internode';

export interface EngineConfigOptions {
  readonly home: EngineHome;
  readonly ports: EnginePorts;
  readonly storage: EngineStorage;
  /** Opens the HTTP port of internal-frontend: engine.md section 5 says what that costs. */
  readonly nexusEnabled: boolean;
  /** Fixed for the life of the data. */
  readonly historyShards: number;
}

/**
 * The hardened configuration file (engine.md section 3), as text. With PostgreSQL it holds the password:
 * write it 0600 only.
 */
export function buildEngineConfig(options: EngineConfigOptions): string {
  const { home, ports } = options;
  return stringify(
    {
      log: { stdout: true, level: 'info' },
      persistence: {
        defaultStore: 'main',
        visibilityStore: 'vis',
        numHistoryShards: options.historyShards,
        datastores: buildDatastores(options.storage, home.data),
      },
      global: {
        membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
        pprof: { port: 0 },
        metrics: { prometheus: { timerType: 'histogram', listenAddress: `127.0.0.1:${ports.metrics}` } },
        tls: buildTls(options),
        authorization: {
          jwtKeyProvider: {
            keySourceURIs: [`${ROOTS_CAN_BE_CHOSEN ? 'https' : 'http'}://127.0.0.1:${ports.jwks}/jwks.json`],
            refreshInterval: '1m',
          },
          permissionsClaimName: 'permissions',
          audience: ENGINE_AUDIENCE,
          authorizer: 'default',
          claimMapper: 'default',
        },
      },
      services: buildServices(options),
      clusterMetadata: {
        enableGlobalNamespace: false,
        failoverVersionIncrement: 10,
        masterClusterName: 'active',
        currentClusterName: 'active',
        clusterInformation: {
          active: {
            enabled: true,
            initialFailoverVersion: 1,
            rpcName: 'frontend',
            rpcAddress: `127.0.0.1:${ports.grpc.frontend}`,
          },
        },
      },
      dcRedirectionPolicy: { policy: 'noop' },
      archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
      dynamicConfigClient: { filepath: home.dynamicConfigFile, pollInterval: '10s' },
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

/** The CA files that clients of each side must chain to. The engine trusts public roots where one is empty. */
export function clientCaFiles(
  home: EngineHome,
  nexusEnabled: boolean,
): { frontend: string[]; internode: string[] } {
  const gatewayCa = join(home.pki, 'gateway-ca.crt');
  const internalCa = join(home.pki, 'internal-ca.crt');
  // Nexus callbacks of the engine reach the frontend's TLS with the internode certificate.
  return { frontend: nexusEnabled ? [gatewayCa, internalCa] : [gatewayCa], internode: [internalCa] };
}

/**
 * Writes both files, after making sure that no list of client CAs is empty: `requireClientAuth` with an empty
 * list starts without a warning and trusts the public roots (data-plane.md section 6.3).
 */
export async function writeEngineConfig(options: EngineConfigOptions): Promise<void> {
  const { home } = options;
  const files = clientCaFiles(home, options.nexusEnabled);
  await assertCaFiles('frontend', files.frontend);
  await assertCaFiles('internode', files.internode);
  await makePrivateFolder(home.data);
  await writeFileAtomic(home.dynamicConfigFile, buildDynamicConfig());
  await writeFileAtomic(home.configFile, buildEngineConfig(options));
}

/** @throws EngineError when the list is empty or one of its files holds no certificate. */
export async function assertCaFiles(side: string, files: readonly string[]): Promise<void> {
  if (files.length === 0)
    throw new EngineError(`the engine's ${side} would have no client CA: it would trust anybody`);
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) {
      throw new EngineError(
        `the engine's ${side} client CA ${file} holds no certificate: it would trust anybody`,
      );
    }
  }
}

function buildTls(options: EngineConfigOptions): unknown {
  const { home } = options;
  const file = (name: string): string => join(home.pki, name);
  const files = clientCaFiles(home, options.nexusEnabled);
  const rootCaFiles = [file('internal-ca.crt')];
  const server = (name: string, caFiles: readonly string[]): unknown => ({
    certFile: file(`${name}.crt`),
    keyFile: file(`${name}.key`),
    requireClientAuth: true,
    clientCaFiles: caFiles,
  });
  return {
    refreshInterval: '1m',
    expirationChecks: { warningWindow: '720h', errorWindow: '168h', checkInterval: '1h' },
    internode: {
      server: server('internode', files.internode),
      client: { serverName: INTERNODE_NAME, rootCaFiles },
    },
    frontend: {
      server: server('frontend', files.frontend),
      client: { serverName: FRONTEND_NAME, rootCaFiles },
    },
  };
}

function buildServices(options: EngineConfigOptions): unknown {
  const { ports } = options;
  const rpc = (service: EngineService): Record<string, unknown> => ({
    grpcPort: ports.grpc[service],
    membershipPort: ports.membership[service],
    bindOnIP: '127.0.0.1',
  });
  const internalFrontend = options.nexusEnabled
    ? { ...rpc('internal-frontend'), httpPort: ports.nexusHttp }
    : rpc('internal-frontend');
  return {
    frontend: { rpc: rpc('frontend') },
    'internal-frontend': { rpc: internalFrontend },
    history: { rpc: rpc('history') },
    matching: { rpc: rpc('matching') },
    worker: { rpc: rpc('worker') },
  };
}
