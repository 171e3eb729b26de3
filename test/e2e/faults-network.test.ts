import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import {
  type ScriptedSite,
  startScriptedSite,
  TENANT,
} from '../../packages/gatehouse/src/testing/scripted-site.ts';
import { until } from './gatehouse-process.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const UNAVAILABLE = 14;
let site: ScriptedSite;
/** Between clients and the gateway, and between the gateway and the engine. */
let outside: TcpProxy;
let inside: TcpProxy;
let neighbour: RawClient;

before(async () => {
  site = await startScriptedSite(async (port) => {
    inside = await startTcpProxy({ host: '127.0.0.1', port });
    return inside.port;
  });
  const [host = '', port] = site.endpoint.grpc.split(':');
  outside = await startTcpProxy({ host, port: Number(port) });
  neighbour = site.open(TENANT);
  assert.equal((await ask(neighbour)).status, 0);
});

after(async () => {
  outside?.close();
  inside?.close();
  await site?.close();
});

function ask(client: RawClient, timeoutMs = 5000): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.DescribeWorkflowExecutionRequest', {
    namespace: TENANT,
    execution: { workflowId: 'any' },
  });
  return client.call(`${WORKFLOW_SERVICE}DescribeWorkflowExecution`, request, { timeoutMs });
}

/** A client behind the bad link. */
function openOutside(): RawClient {
  const [{ host: serverName } = { host: '' }] = site.endpoint.namespaces;
  const endpoint = { ...site.endpoint, grpc: `127.0.0.1:${outside.port}` };
  return openRawClient({ endpoint, certificateOf: TENANT, serverName });
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('F-20 with 500 ms of delay each way, and at a byte at a time, calls of clients pass, and the neighbour does not wait for them', async () => {
  for (const weather of [{ delayMs: 500 }, { trickleMs: 1 }]) {
    const client = openOutside();
    assert.equal((await ask(client)).status, 0);
    outside.weather = weather;
    const order: string[] = [];
    const slow = ask(client, 20_000).finally(() => order.push('slow'));
    assert.equal((await ask(neighbour).finally(() => order.push('neighbour'))).status, 0);
    assert.equal((await slow).status, 0);
    assert.deepEqual(order, ['neighbour', 'slow']);
    outside.weather = 'fair';
    client.close();
  }
});

test('F-20 a storm of resets on clients leaves no connection, no descriptor and no call behind', async () => {
  const before = descriptors();
  const opened = site.openConnections();
  for (let round = 0; round < 10; round += 1) {
    const clients = Array.from({ length: 10 }, openOutside);
    const calls = clients.map((client) => ask(client, 1000));
    // Some in the handshake, some in a call, some after it.
    if (round % 3 > 0) await Promise.race(calls);
    if (round % 3 > 1) await Promise.all(calls);
    outside.resetAll();
    await Promise.all(calls);
    for (const client of clients) client.close();
  }
  await until('every connection is forgotten', () => site.openConnections() <= opened);
  await until('every descriptor is closed', () => descriptors() <= before + 2, 15_000);
  assert.equal((await ask(neighbour)).status, 0);
});

test('F-20 when the link to the engine is reset under load calls are answered or UNAVAILABLE, and the next ones pass', async () => {
  for (let round = 0; round < 10; round += 1) {
    const calls = Array.from({ length: 20 }, () => ask(neighbour));
    inside.resetAll();
    for (const { status, message, failure } of await Promise.all(calls)) {
      assert.ok([0, UNAVAILABLE].includes(status), `${status} ${message} ${failure}`);
    }
    await until('calls pass', async () => (await ask(neighbour)).status === 0);
  }
});

test('F-20 an engine that is slow to reach fails no call', async () => {
  inside.weather = { delayMs: 500 };
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(neighbour)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 0),
  );
  inside.weather = 'fair';
});

test('F-20 a link to the engine that dies without a word costs calls their deadline for some seconds, and is then replaced', async () => {
  inside.weather = 'half-open';
  const { status } = await ask(neighbour, 500);
  assert.ok([4, UNAVAILABLE].includes(status), String(status));
  const dead = inside.open;
  // What is dialled anew passes: the peer is well, only the old connections are dead.
  const old = inside;
  inside = await startTcpProxy({ host: '127.0.0.1', port: site.engine.port });
  site.enginePort = inside.port;
  assert.ok(dead > 0);
  await until('calls pass', async () => (await ask(neighbour, 500)).status === 0, 40_000);
  old.close();
});
