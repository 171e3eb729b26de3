import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { generateLeaf } from '../../packages/gatehouse/src/base/pki/generate.ts';
import { describe } from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  homeCredential,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import {
  encode,
  type RawAnswer,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { tlsOptionsOf } from '../../packages/gatehouse/src/testing/tls-attempt.ts';
import { until } from './gatehouse-process.ts';
import {
  assertExhausted,
  FLOODER,
  from,
  type LimitsSite,
  NEIGHBOUR,
  RESOURCE_EXHAUSTED,
  STORM,
  startLimitsSite,
  TINY,
} from './limits-site.ts';

// threats.md T-095, and what SDKs make of it: so much in a second. What may be under way at once is in
// concurrency-limits.test.ts.

let site: LimitsSite;
before(async () => {
  site = await startLimitsSite();
});
after(() => site?.close());

test('T-095a calls at 50 times the limit are refused to their namespace alone, and the engine sees what the limit allows', async () => {
  await site.limit(FLOODER, { callsPerSecond: 20, burstSeconds: 1 });
  const flooders = site.openFlooder(5);
  const before = await site.recorded(FLOODER, 'namespace_rate_limit');
  let refused = 0;
  const seen: Record<string, number> = {};
  await site.engine.saw(seen, async () => {
    const startedMs = performance.now();
    let served = 0;
    const calls = await site.besideNeighbour(async () => {
      for (let round = 0; round < 10; round += 1) {
        const answers = await Promise.all(
          flooders.flatMap((client) => Array.from({ length: 40 }, () => describe(client, FLOODER))),
        );
        for (const answer of answers) {
          if (answer.status === 0) served += 1;
          else {
            assertExhausted(answer, 'namespace rate limit exceeded', 'RPS_LIMIT');
            refused += 1;
          }
        }
      }
    });
    const allowed = 20 + (20 * (performance.now() - startedMs)) / 1000;
    assert.ok(served <= allowed, `${served} calls were served, the limit allows ${allowed}`);
    assert.equal(served + refused, 2000);
    seen[counterOf('DescribeNamespace', FLOODER)] = served;
    seen[counterOf('DescribeNamespace', NEIGHBOUR)] = calls;
  });
  await site.waitForRecords(FLOODER, 'namespace_rate_limit', before + refused);
  for (const client of flooders) client.close();
});

test('searches have a limit of their own, and leave the other calls alone', async () => {
  await site.limit(FLOODER, { visibilityPerSecond: 1, burstSeconds: 3 });
  const [client] = site.openFlooder(1);
  assert.ok(client);
  const request = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: FLOODER });
  const count = (): Promise<RawAnswer> => client.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request);
  // The flood before has used up the calls, and searches come last.
  await until('calls are saved up', async () => (await count()).status === 0);
  const answers = await Promise.all(Array.from({ length: 50 }, count));
  const served = answers.filter(({ status }) => status === 0).length;
  assert.ok(served >= 2 && served <= 5, `${served} were served`);
  assert.equal((await describe(client, FLOODER)).status, 0);
  client.close();
});

test('T-095b many connections and certificates, HTTP and gRPC mixed: the limit follows the namespace, HTTP is told when to come again', async () => {
  await site.limit(FLOODER, { callsPerSecond: 5, burstSeconds: 2 });
  const credential = homeCredential(site.house.endpoint, FLOODER);
  const others = await Promise.all([1, 2, 3].map(otherCertificate));
  const startedMs = performance.now();
  const clients = [...site.openFlooder(10), ...others.map((other) => site.open(FLOODER, other))];
  const [overGrpc, overHttp] = await Promise.all([
    Promise.all(clients.map((client) => describe(client, FLOODER))),
    Promise.all(
      Array.from({ length: 15 }, () =>
        requestRaw(site.house, {
          namespaceId: FLOODER,
          credential,
          target: `/namespaces/${FLOODER}/workflows/none`,
        }),
      ),
    ),
  ]);
  const limited = overHttp.filter(({ status }) => status === 429);
  const served = overGrpc.filter(({ status }) => status === 0).length + overHttp.length - limited.length;
  const allowed = 10 + (5 * (performance.now() - startedMs)) / 1000;
  assert.ok(served > 0 && served <= allowed, `${served} calls were served, the limit allows ${allowed}`);
  const [refused] = limited;
  assert.ok(refused);
  assert.equal(refused.headers['retry-after'], '1');
  assert.equal(refused.headers['grpc-metadata-x-resource-exhausted-cause'], 'RPS_LIMIT');
  const { code, message, details } = JSON.parse(refused.body) as Record<string, unknown>;
  assert.deepEqual(
    { code, message, details },
    {
      code: RESOURCE_EXHAUSTED,
      message: 'namespace rate limit exceeded',
      details: [
        {
          '@type': 'type.googleapis.com/temporal.api.errordetails.v1.ResourceExhaustedFailure',
          cause: 'RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT',
          scope: 'RESOURCE_EXHAUSTED_SCOPE_NAMESPACE',
        },
      ],
    },
  );
});

/** Another client certificate of the flooder's own CA. */
async function otherCertificate(index: number): Promise<ClientCredential> {
  const folder = join(site.house.home, 'namespaces', FLOODER);
  const leaf = await generateLeaf({
    caPem: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    caKeyPem: readFileSync(join(folder, 'ca.key'), 'utf8'),
    organization: 'flooder',
    commonName: `other ${index}`,
    nowMs: Date.now(),
  });
  return { cert: leaf.certificatePem, key: leaf.privateKeyPem };
}

test('T-095a a storm of handshakes is reset before it costs one, and other addresses get in meanwhile', async () => {
  const { endpoint } = site.house;
  const options = tlsOptionsOf({
    endpoint,
    serverName: site.host(FLOODER),
    credential: homeCredential(endpoint, FLOODER),
    tls: { checkServerIdentity: () => undefined, ...from('127.0.0.3') },
  });
  const sockets: TLSSocket[] = [];
  const startedMs = performance.now();
  const attempt = (): Promise<'secure' | 'ended'> =>
    new Promise((resolve) => {
      const socket = connectTls(options, () => resolve('secure'));
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => resolve('ended'));
    });
  let ended = 0;
  let secure = 0;
  await site.besideNeighbour(async () => {
    const storm = Promise.all(Array.from({ length: 250 }, attempt));
    const fresh = site.open(NEIGHBOUR, homeCredential(endpoint, NEIGHBOUR));
    assert.equal((await describe(fresh, NEIGHBOUR)).status, 0);
    for (const end of await storm) {
      if (end === 'ended') ended += 1;
      else secure += 1;
    }
  });
  const allowed = STORM.burst + (STORM.perSecond * (performance.now() - startedMs)) / 1000;
  assert.ok(secure > 0 && secure <= allowed, `${secure} handshakes were done, the limit allows ${allowed}`);
  await site.waitForRecords('', 'handshake_limit', ended);
  for (const socket of sockets) socket.destroy();
});

test('a real Worker lives through refused polls and calls, backs off and ends all its work', async () => {
  await site.limit(TINY, { callsPerSecond: 8, burstSeconds: 1, polls: 1 });
  const { endpoint } = site.house;
  const namespace = endpoint.namespaces.find(({ id }) => id === TINY);
  assert.ok(namespace);
  Runtime.install({
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  const settings = {
    address: endpoint.grpc,
    tls: {
      serverNameOverride: namespace.host,
      serverRootCACertificate: readFileSync(endpoint.serverCa),
      clientCertPair: { crt: readFileSync(namespace.clientCert), key: readFileSync(namespace.clientKey) },
    },
  };
  const before = site.house.up.platform.gateway.use(TINY)?.refused ?? 0;
  const workerConnection = await NativeConnection.connect(settings);
  const connection = await Connection.connect(settings);
  const client = new Client({ connection, namespace: TINY });
  const worker = await Worker.create({
    connection: workerConnection,
    namespace: TINY,
    taskQueue: 'tiny',
    workflowsPath: join(import.meta.dirname, '../../packages/gatehouse/quickstart/workflows.mjs'),
    activities: { greet: async (name: string) => `Hello, ${name}!` },
  });
  const results = await worker.runUntil(async () => {
    const refused = () => site.house.up.platform.gateway.use(TINY)?.refused ?? 0;
    await until('its polls are refused', () => refused() >= before + 20, 30_000);
    await site.limit(TINY, { callsPerSecond: 8, burstSeconds: 1 });
    return await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        client.workflow.execute('greeting', {
          taskQueue: 'tiny',
          workflowId: `tiny-${index}`,
          args: [String(index)],
        }),
      ),
    );
  });
  assert.deepEqual(
    results,
    Array.from({ length: 8 }, (_, index) => `Hello, ${index}!`),
  );
  assert.equal(worker.getState(), 'STOPPED');
  assert.ok(site.useOf(TINY).refused > before, 'the limit was met');
  await connection.close();
  await workerConnection.close();
});
