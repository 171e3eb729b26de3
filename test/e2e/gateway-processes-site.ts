import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChainEvents } from '../../packages/gatehouse/src/testing/audit-events.ts';
import type { RawAnswer, RawClient } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { ask, makeFaultSite, ORDERS, type Running } from './fault-site.ts';
import { type GatehouseProcess, processesOf, startGatehouse } from './gatehouse-process.ts';
import type { Site, SiteConfig } from './serve-site.ts';

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
  const faults = await makeFaultSite();
  const { site } = faults;
  await site.makeCa('billing');
  let running: Running | undefined;
  const made: ProcessesSite = {
    site,
    configure(config) {
      site.configure({
        grpc: running?.grpc ?? '127.0.0.1:0',
        processes: 2,
        drainSeconds: 10,
        namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict }`],
        ...config,
      });
    },
    async serve() {
      running = await faults.serve();
      return running.process;
    },
    grpc: () => running?.grpc ?? '',
    gateways() {
      const found = processesOf(site.folder).flatMap((pid) => {
        const slot = slotOf(pid);
        return slot === undefined ? [] : [[slot, pid] as const];
      });
      return new Map(found.sort(([a], [b]) => a - b));
    },
    open(namespaceId) {
      assert.ok(running);
      return running.open(namespaceId, namespaceId === BILLING ? 'billing' : 'orders');
    },
    async servedBy(answer) {
      const requestId = answer.headers['gatehouse-request-id'];
      return [...(await readChainEvents(site.home))].flatMap(([name, events]) =>
        events.some((event) => event['requestId'] === requestId) ? [name] : [],
      );
    },
    logged: (message) =>
      readFileSync(join(site.home, 'logs', 'gatehouse.log'), 'utf8').split(message).length - 1,
    close: () => faults.close(),
  };
  return made;
}

export function describeNamespace(client: RawClient, namespaceId: string): Promise<RawAnswer> {
  return ask(client, 'DescribeNamespace', { namespace: namespaceId }, 20_000);
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
