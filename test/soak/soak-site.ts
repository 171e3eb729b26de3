import { appendFileSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { EndpointFile } from '../../packages/gatehouse/src/app/endpoint-file.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from '../e2e/gatehouse-process.ts';
import { DOMAIN, makeSite, type Site } from '../e2e/serve-site.ts';
import type { WorkerTarget } from '../parts/worker-process.ts';
import type { Sample } from './trend.ts';

export const NAMESPACE = 'soak.acme1';
export const HOST = `${NAMESPACE}.${DOMAIN}`;

/** `gatehouse serve` in a process of its own with its engine, sealing on, and what an operator does to it. */
export interface SoakSite {
  readonly site: Site;
  /** The gateway of now, and how many there were. */
  readonly gateway: GatehouseProcess;
  readonly starts: number;
  /** Ends it with this signal, starts it again, and says how long nothing was ready, in ms. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  /** Writes the configuration with these CAs, each made on first use, and these days of retention. */
  configure(cas: readonly string[], retentionDays: number): Promise<void>;
  /** What a client with a certificate of this CA is told. */
  endpoint(ca: string): EndpointFile;
  target(ca: string): WorkerTarget;
  enginePid(): number | undefined;
  /** Open descriptors of the gateway, and its memory in use after a collection, since its start. */
  readonly descriptors: readonly Sample[];
  heap(): readonly Sample[];
  /** Lines of the operator's log that hold this text. */
  logged(text: string): number;
  close(): Promise<void>;
}

const PROBE = new URL('./heap-probe.ts', import.meta.url);
const LOOK_MS = 1000;

export async function startSoakSite(): Promise<SoakSite> {
  const site = await makeSite();
  const made = new Set<string>();
  let grpc = '127.0.0.1:0';
  let descriptors: Sample[] = [];
  let starts = 0;
  const probeFile = join(site.folder, 'probe.jsonl');
  appendFileSync(probeFile, '');

  const configure = async (cas: readonly string[], retentionDays: number): Promise<void> => {
    for (const ca of cas) {
      if (!made.has(ca)) await site.makeCa(ca);
      made.add(ca);
    }
    const pem = cas.map((ca) => readFileSync(join(site.folder, `${ca}-ca.pem`), 'utf8')).join('');
    writeFileSync(join(site.folder, 'bundle.pem'), pem);
    site.configure({
      grpc,
      drainSeconds: 5,
      namespaces: [
        `{ id: ${NAMESPACE}, caFile: bundle.pem, retentionDays: ${retentionDays}, encryption: { atRest: on } }`,
      ],
    });
  };
  const launch = async (): Promise<GatehouseProcess> => {
    const process_ = startGatehouse(['serve', '--config', site.configFile], {
      NODE_OPTIONS: `--import=${PROBE.href}`,
      SOAK_PROBE_FILE: probeFile,
    });
    const [line] = await process_.printed(/^\{"ready":true.*\}\n/m, 60_000);
    grpc = JSON.parse(line).grpc;
    starts += 1;
    descriptors = [];
    return process_;
  };
  await configure(['first'], 1);
  let gateway = await launch();
  // The same port after every restart, as a client expects.
  await configure(['first'], 1);
  const looking = setInterval(() => {
    const value = descriptorsOf(gateway.child.pid);
    if (value !== undefined) descriptors.push({ at: Date.now(), value });
  }, LOOK_MS);
  return {
    site,
    get gateway() {
      return gateway;
    },
    get starts() {
      return starts;
    },
    get descriptors() {
      return descriptors;
    },
    configure,
    async restart(signal) {
      const before = performance.now();
      gateway.child.kill(signal);
      const end = await gateway.ended;
      if (signal === 'SIGTERM' && end !== 0) throw new Error(`ended with ${end}:\n${gateway.stderr()}`);
      gateway = await launch();
      return Math.round(performance.now() - before);
    },
    endpoint: (ca) => site.endpoint(grpc, { [NAMESPACE]: ca }),
    target: (ca) => ({
      address: grpc,
      namespace: NAMESPACE,
      tls: {
        serverName: HOST,
        caFile: join(site.folder, 'server-ca.pem'),
        certificateFile: join(site.folder, `${ca}.pem`),
        keyFile: join(site.folder, `${ca}.key`),
      },
    }),
    enginePid: () =>
      processesOf(site.folder).find((pid) => basename(executableOf(pid)).startsWith('temporal')),
    heap: () => heapOf(probeFile, gateway.child.pid),
    logged: (text) =>
      readFileSync(join(site.home, 'logs', 'gatehouse.log'), 'utf8')
        .split('\n')
        .filter((line) => line.includes(text)).length,
    async close() {
      clearInterval(looking);
      gateway.child.kill('SIGKILL');
      await gateway.ended;
      await until('no engine is left', () => processesOf(site.folder).length === 0, 20_000);
      site.close();
    },
  };
}

function descriptorsOf(pid: number | undefined): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // It is between two lives.
    return undefined;
  }
}

function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

function heapOf(file: string, pid: number | undefined): readonly Sample[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): { pid: number; at: number; bytes: number } => JSON.parse(line))
    .filter((line) => line.pid === pid)
    .map(({ at, bytes }) => ({ at, value: bytes }));
}
