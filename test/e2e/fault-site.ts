import assert from 'node:assert/strict';
import { join } from 'node:path';
import {
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type GatehouseProcess, processesOf, startGatehouse, until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Site } from './serve-site.ts';

export const ORDERS = 'orders.acme1';

/** `gatehouse serve` in processes of its own on one home, and raw clients of its namespaces: one, unless configured. */
export interface FaultSite {
  readonly site: Site;
  readonly database: string;
  readonly audit: string;
  /** Starts it, and waits until it is ready. */
  serve(): Promise<Running>;
  /** A start that must fail: its exit code and its last words. */
  refusedStart(): Promise<{ readonly exitCode: number | NodeJS.Signals; readonly words: string }>;
  close(): Promise<void>;
}

export interface Running {
  readonly process: GatehouseProcess;
  readonly pid: number;
  readonly grpc: string;
  /** @param name of the certificate and the CA that `makeCa` made. */
  open(namespaceId?: string, name?: string): RawClient;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export async function makeFaultSite(): Promise<FaultSite> {
  const site = await makeSite();
  await site.makeCa('orders');
  site.configure({ namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict }`] });
  const running = new Set<GatehouseProcess>();
  const clients: RawClient[] = [];
  const launch = (): GatehouseProcess => {
    const started = startGatehouse(['serve', '--config', site.configFile]);
    running.add(started);
    void started.ended.then(() => running.delete(started));
    return started;
  };
  return {
    site,
    database: join(site.home, 'directory', 'directory.db'),
    audit: join(site.home, 'audit'),
    async serve() {
      const started = launch();
      const [line] = await started.printed(/^\{"ready":true.*\}\n/m, 60_000);
      const { grpc }: { grpc: string } = JSON.parse(line);
      const { pid } = started.child;
      assert.ok(pid !== undefined);
      return {
        process: started,
        pid,
        grpc,
        open(namespaceId = ORDERS, name = 'orders') {
          const client = openRawClient({
            endpoint: site.endpoint(grpc, { [namespaceId]: name }),
            certificateOf: namespaceId,
            serverName: `${namespaceId}.${DOMAIN}`,
          });
          clients.push(client);
          return client;
        },
        async stop(signal = 'SIGTERM') {
          started.child.kill(signal);
          const ended = await started.ended;
          assert.equal(ended, signal === 'SIGTERM' ? 0 : signal, started.stderr());
        },
      };
    },
    async refusedStart() {
      const started = launch();
      const exitCode = await started.ended;
      return { exitCode, words: started.stderr() };
    },
    async close() {
      for (const client of clients) client.close();
      for (const { child, ended } of running) {
        child.kill('SIGKILL');
        await ended;
      }
      await until('no engine is left', () => processesOf(site.folder).length === 0, 20_000);
      site.close();
    },
  };
}

export function ask(
  client: RawClient,
  method: string,
  fields: Record<string, unknown> = {},
  timeoutMs = 5000,
): Promise<RawAnswer> {
  const request = encode(`workflowservice.v1.${method}Request`, { namespace: ORDERS, ...fields });
  return client.call(WORKFLOW_SERVICE + method, request, { timeoutMs });
}

export function startWorkflow(client: RawClient, workflowId: string, timeoutMs = 5000): Promise<RawAnswer> {
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${workflowId}"`) };
  const fields = {
    workflowId,
    requestId: workflowId,
    workflowType: { name: 'any' },
    taskQueue: { name: 'any' },
    input: { payloads: [payload] },
  };
  return ask(client, 'StartWorkflowExecution', fields, timeoutMs);
}
