import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { findEngine, PINNED_ENGINE_VERSION } from '../../packages/gatehouse/src/core/engine/find-engine.ts';

/** The same engine with nothing in front of it, in memory and in clear text: what clients know. */
export interface ReferenceEngine {
  /** `http://host:port` of the engine's own HTTP API. */
  readonly http: string;
  close(): Promise<void>;
}

/** @param namespace made in it before it is handed out. */
export async function startReferenceEngine(namespace: string): Promise<ReferenceEngine> {
  const { path: binary } = await findEngine({
    version: PINNED_ENGINE_VERSION,
    cacheFolder: join(homedir(), '.cache', 'gatehouse'),
    path: process.env['PATH'] ?? '',
    progress: () => undefined,
  });
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-reference-'));
  const ports = await freePorts(9);
  const config = join(folder, 'engine.yaml');
  await writeFile(config, JSON.stringify(engineConfig(ports, folder)));
  await writeFile(join(folder, 'dynamic.yaml'), '{}\n');
  const engine = spawn(binary, ['--config-file', config, '--allow-no-auth', 'start'], {
    cwd: folder,
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => engine.once('exit', () => resolve()));
  const http = `http://127.0.0.1:${ports[0]}`;
  const close = async (): Promise<void> => {
    engine.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await makeNamespace(http, namespace, exited);
  } catch (error) {
    await close();
    throw error;
  }
  return { http, close };
}

/** JSON is YAML, too. */
function engineConfig(ports: readonly number[], folder: string): unknown {
  const [http, frontend, frontendMembership, ...others] = ports;
  const sql = {
    pluginName: 'sqlite',
    databaseName: 'reference',
    connectAddr: 'localhost',
    connectProtocol: 'tcp',
    connectAttributes: { mode: 'memory', cache: 'private' },
    maxConns: 1,
    maxIdleConns: 1,
  };
  const service = (at: number): unknown => ({
    rpc: { grpcPort: others[at], membershipPort: others[at + 1], bindOnIP: '127.0.0.1' },
  });
  return {
    log: { stdout: true, level: 'error' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'main',
      numHistoryShards: 4,
      datastores: { main: { sql } },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend: {
        rpc: {
          grpcPort: frontend,
          membershipPort: frontendMembership,
          bindOnIP: '127.0.0.1',
          httpPort: http,
        },
      },
      history: service(0),
      matching: service(2),
      worker: service(4),
    },
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
          rpcAddress: `127.0.0.1:${frontend}`,
        },
      },
    },
    archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
    dynamicConfigClient: { filepath: join(folder, 'dynamic.yaml'), pollInterval: '60s' },
    publicClient: { hostPort: `127.0.0.1:${frontend}` },
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** Waits for the engine by making the namespace, and for the namespace by asking for it. */
async function makeNamespace(http: string, namespace: string, exited: Promise<void>): Promise<void> {
  const gone = exited.then(() => 'gone' as const);
  const body = JSON.stringify({ namespace, workflowExecutionRetentionPeriod: '86400s' });
  const ready = async (): Promise<boolean> => {
    try {
      await fetch(`${http}/cluster/namespaces`, { method: 'POST', body });
      return (await fetch(`${http}/namespaces/${namespace}/workflow-count`)).ok;
    } catch {
      // Not listening yet.
      return false;
    }
  };
  for (const until = Date.now() + 60_000; Date.now() < until; ) {
    if (await ready()) return;
    if ((await Promise.race([gone, wait(200)])) === 'gone') throw new Error('the reference engine ended');
  }
  throw new Error('the reference engine did not come up');
}
