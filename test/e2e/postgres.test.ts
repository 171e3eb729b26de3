import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { runQuickstart } from '../../packages/gatehouse/src/app/quickstart.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/gatehouse/src/testing/embedded-postgres.ts';
import {
  decode,
  encode,
  openRawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Served, type Site, serveSite } from './serve-site.ts';

const ORDERS = 'orders.acme1';
let site: Site;
let postgres: EmbeddedPostgres;

before(async () => {
  postgres = await startEmbeddedPostgres({ tcp: true });
  site = await makeSite();
  await site.makeCa('orders');
  await query('postgres', 'create database gatehouse');
  const { password } = postgres.connection('postgres');
  writeFileSync(join(site.folder, 'password'), password, { mode: 0o600 });
  configure('audit: relaxed');
});

function configure(more: string): void {
  const { host, port, user } = postgres.connection('postgres');
  const server = `kind: postgres, host: ${host}, port: ${port}, user: ${user}, password: 'file:password'`;
  site.configure({
    namespaces: [`{ id: ${ORDERS}, caFile: orders-ca.pem, ${more} }`],
    more: `directory: { ${server} }\nengine: { storage: { ${server} } }`,
  });
}

after(async () => {
  await served?.serving.stop(500);
  await postgres?.close();
  site?.close();
});

async function query(database: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(postgres.connection(database));
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

let served: Served | undefined;
let workflowId = '';

test('a Workflow runs through the gateway with its history, its visibility and the directory in PostgreSQL', async () => {
  served = await serveSite(site);
  const proof = (await runQuickstart(site.endpoint(served.grpc, { [ORDERS]: 'orders' }))) as {
    result: string;
    workflowId: string;
  };
  assert.equal(proof.result, 'Hello, Gatehouse!');
  workflowId = proof.workflowId;
  const [inStore] = await query(
    'temporal',
    `select count(*) from executions where workflow_id = '${workflowId}'`,
  );
  assert.equal(Number(inStore?.['count']), 1);
  const [seen] = await query(
    'temporal_visibility',
    `select count(*) from executions_visibility where workflow_id = '${workflowId}'`,
  );
  assert.equal(Number(seen?.['count']), 1);
  assert.deepEqual(await query('gatehouse', 'select id from namespaces'), [{ id: ORDERS }]);
});

test('a restart finds the schema as it is, and the history of before', async () => {
  await served?.serving.stop(500);
  served = await serveSite(site);
  const endpoint = site.endpoint(served.grpc, { [ORDERS]: 'orders' });
  const client = openRawClient({ endpoint, certificateOf: ORDERS, serverName: `${ORDERS}.${DOMAIN}` });
  const request = encode('workflowservice.v1.DescribeWorkflowExecutionRequest', {
    namespace: ORDERS,
    execution: { workflowId },
  });
  const answer = await client.call(`${WORKFLOW_SERVICE}DescribeWorkflowExecution`, request);
  client.close();
  assert.equal(answer.status, 0, answer.message);
  const { workflowExecutionInfo } = decode(
    'workflowservice.v1.DescribeWorkflowExecutionResponse',
    answer.body,
  );
  // COMPLETED
  assert.equal(workflowExecutionInfo.status, 2);
});

test('F-03 a reload while the database is away is refused for the time being, and applied when it is back', async () => {
  assert.ok(served);
  const { platform } = served.serving;
  const audit = (): string | undefined => platform.directory.snapshot().namespaces.get(ORDERS)?.auditMode;
  await postgres.stop();
  await until('the directory notices', () => platform.directory.state() === 'detached');
  configure('audit: strict');
  await served.serving.reload();
  const refused = (await served.events()).findLast(({ method }) => method === 'config.reload');
  assert.deepEqual([refused?.['outcome'], refused?.['reason']], ['error', 'directory_unavailable']);
  assert.equal(audit(), 'relaxed');
  await postgres.start();
  await until('it is tried again', () => audit() === 'strict', 15_000);
});
