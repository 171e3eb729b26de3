import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describe } from '../../packages/gatehouse/src/testing/attack-site.ts';
import { openRawClient, type RawClient } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Served, type Site, serveSite } from './serve-site.ts';

const ORDERS = 'orders.acme1';
const BILLING = 'billing.acme1';

let site: Site;
let served: Served;
const clients: RawClient[] = [];

before(async () => {
  site = await makeSite();
  await site.makeCa('first');
  configure('callsPerSecond: 3', '');
  served = await serveSite(site);
});

after(async () => {
  for (const client of clients) client.close();
  await served?.serving.stop(500);
  site?.close();
});

/** @param own lines of the namespace's own limits. @param platform of everybody's. */
function configure(own: string, platform: string): void {
  site.configure({
    namespaces: [
      `{ id: ${ORDERS}, caFile: first-ca.pem, limits: { ${own} } }`,
      `{ id: ${BILLING}, caFile: first-ca.pem }`,
    ],
    more: `limits: { namespace: { burstSeconds: 1, ${platform} } }`,
  });
}

function open(namespace: string): RawClient {
  const endpoint = site.endpoint(served.grpc, { [namespace]: 'first' });
  const client = openRawClient({ endpoint, certificateOf: namespace, serverName: `${namespace}.${DOMAIN}` });
  clients.push(client);
  return client;
}

/** How many of fifty calls at once are served. */
async function servedOf(client: RawClient, namespace: string): Promise<number> {
  const answers = await Promise.all(Array.from({ length: 50 }, () => describe(client, namespace)));
  return answers.filter(({ status }) => status === 0).length;
}

/** Waits for the next reload. @returns what the record says of it. */
async function reload(change: () => void): Promise<string> {
  const reloads = async () => (await served.events()).filter(({ method }) => method === 'config.reload');
  const seen = (await reloads()).length;
  change();
  await until('the file is read again', async () => (await reloads()).length > seen);
  return String((await reloads()).at(-1)?.['detail']);
}

test('limits of a namespace and of everybody are read again while it runs, and hold on open connections at once', async () => {
  const [orders, billing] = [open(ORDERS), open(BILLING)];
  assert.ok((await servedOf(orders, ORDERS)) < 10);
  assert.equal(await servedOf(billing, BILLING), 50);

  assert.match(await reload(() => configure('callsPerSecond: 3', 'callsPerSecond: 4')), /limits/);
  assert.ok((await servedOf(billing, BILLING)) < 10);

  assert.match(await reload(() => configure('', '')), /orders\.acme1: limits/);
  await until('calls are saved up', async () => (await servedOf(orders, ORDERS)) === 50);
  await until('calls are saved up', async () => (await servedOf(billing, BILLING)) === 50);
});
