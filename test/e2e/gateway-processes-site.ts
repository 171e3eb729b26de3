import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChainEvents } from '../../packages/gatehouse/src/testing/audit-events.ts';
import {
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Site, type SiteConfig } from './serve-site.ts';

export const ORDERS = 'orders.acme1';
export const BILLING = 'billing.acme1';

/** `gatehouse serve` with two gateway processes, on the real engine. */
export interface ProcessesSite {
  readonly site: Site;
  /** Writes the configuration anew, on the port that is served. */
  configure(config: Partial<SiteConfig>): void;
  /** Starts it, and waits until it is ready. */
  serve(): Promise<GatehouseProcess>;
  grpc(): string;
  /** Gateway processes by their place. */
  gateways(): ReadonlyMap<number, number>;
  open(namespaceId: string): RawClient;
  /** The places whose audit chain has a record of this answer. It is there before the answer: audit is strict. */
  servedBy(answer: RawAnswer): Promise<readonly string[]>;
  logged(message: string): number;
  close(): Promise<void>;
}

export async function makeProcessesSite(): Promise<ProcessesSite> {
  const site = await makeSite();
  for (const name of ['orders', 'billing']) await site.makeCa(name);
  const started: GatehouseProcess[] = [];
  const clients: RawClient[] = [];
  let grpc = '127.0.0.1:0';
  const made: ProcessesSite = {
    site,
    configure(config) {
      site.configure({
        grpc,
        processes: 2,
        drainSeconds: 10,
        namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict }`],
        ...config,
      });
    },
    async serve() {
      const process = startGatehouse(['serve', '--config', site.configFile]);
      started.push(process);
      const [line] = await process.printed(/^\{"ready":true.*\}\n/m, 60_000);
      ({ grpc } = JSON.parse(line));
      return process;
    },
    grpc: () => grpc,
    gateways() {
      const found = processesOf(site.folder).flatMap((pid) => {
        const slot = slotOf(pid);
        return slot === undefined ? [] : [[slot, pid] as const];
      });
      return new Map(found.sort(([a], [b]) => a - b));
    },
    open(namespaceId) {
      const certificateOf = namespaceId;
      const endpoint = site.endpoint(grpc, { [ORDERS]: 'orders', [BILLING]: 'billing' });
      const client = openRawClient({ endpoint, certificateOf, serverName: `${namespaceId}.${DOMAIN}` });
      clients.push(client);
      return client;
    },
    async servedBy(answer) {
      const requestId = answer.headers['gatehouse-request-id'];
      const chains = [...(await readChainEvents(site.home))];
      return chains.flatMap(([name, events]) =>
        events.some((event) => event['requestId'] === requestId) ? [name] : [],
      );
    },
    logged: (message) =>
      readFileSync(join(site.home, 'logs', 'gatehouse.log'), 'utf8').split(message).length - 1,
    async close() {
      for (const client of clients) client.close();
      for (const { child, ended } of started) {
        child.kill('SIGKILL');
        await ended;
      }
      await until('no process left', () => processesOf(site.folder).length === 0, 15_000);
      site.close();
    },
  };
  return made;
}

export async function describeNamespace(client: RawClient, namespaceId: string): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.DescribeNamespaceRequest', { namespace: namespaceId });
  return await client.call(`${WORKFLOW_SERVICE}DescribeNamespace`, request);
}

/** Of a command line of a gateway process. */
function slotOf(pid: number): number | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes('gateway-process') ? Number(words[words.indexOf('--slot') + 1]) : undefined;
  } catch {
    // It ended this moment.
    return undefined;
  }
}

/** @returns what `gatehouse audit verify` says of a home whose chains all hold. */
export async function verifyAudit(home: string): Promise<Readonly<Record<string, unknown>>> {
  const verify = startGatehouse(['audit', 'verify', '--home', home, '--output', 'json']);
  const code = await verify.ended;
  assert.equal(code, 0, verify.stdout() + verify.stderr());
  return JSON.parse(verify.stdout());
}
