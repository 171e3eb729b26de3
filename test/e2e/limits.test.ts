import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ClientHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { defaultLimits, type NamespaceLimits } from '../../packages/gatehouse/src/base/model/limits.ts';
import { generateLeaf } from '../../packages/gatehouse/src/base/pki/generate.ts';
import type { NamespaceUse } from '../../packages/gatehouse/src/core/limits/use-report.ts';
import {
  type AttackSite,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  homeCredential,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import {
  decode,
  encode,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { requestRaw } from '../../packages/gatehouse/src/testing/raw-http.ts';
import { tlsOptionsOf } from '../../packages/gatehouse/src/testing/tls-attempt.ts';
import { until } from './gatehouse-process.ts';

// threats.md T-095, and what SDKs make of it. The flooder comes from an address of his own, 127.0.0.2.

const FLOODER = 'flooder.local';
const TINY = 'tiny.local';
const NEIGHBOUR = 'default.local';
const MIB = 1024 * 1024;
const RESOURCE_EXHAUSTED = 8;
/** Node's types of TLS options leave out those of the TCP connection below, which it takes too. */
const from = (localAddress: string): ConnectionOptions => ({ localAddress }) as ConnectionOptions;
const STORM_BURST = 100;

let site: AttackSite;
const neighbours: RawClient[] = [];

before(async () => {
  site = await startAttackSite(['flooder', 'tiny'], {
    limits: {
      ...defaultLimits,
      source: {
        connectionsPerSecond: 50,
        connectionsBurst: STORM_BURST,
        pendingHandshakes: 500,
        tracked: 100,
      },
    },
  });
  for (let count = 0; count < 4; count += 1) {
    neighbours.push(site.open(NEIGHBOUR, homeCredential(site.house.endpoint, NEIGHBOUR)));
  }
});
after(() => site?.close());

/** Other limits from the next call on. */
async function limit(id: string, limits: Partial<NamespaceLimits>): Promise<void> {
  await site.house.up.platform.directory.write.setLimits(id, limits);
}

function openFlooder(count: number): RawClient[] {
  const credential = homeCredential(site.house.endpoint, FLOODER);
  return Array.from({ length: count }, () => site.open(FLOODER, credential, from('127.0.0.2')));
}

function useOf(id: string): NamespaceUse {
  const use = site.house.up.platform.gateway.use(id);
  assert.ok(use);
  return use;
}

/** The neighbour's steady work while an attack runs. @returns how many calls it made; every one must be served. */
async function besideNeighbour(attack: () => Promise<void>): Promise<number> {
  let isOver = false;
  let calls = 0;
  const work = neighbours.map(async (client) => {
    while (!isOver) {
      const answer = await describe(client, NEIGHBOUR);
      assert.equal(answer.status, 0, `the neighbour was refused: ${answer.message} ${answer.failure}`);
      calls += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  try {
    await attack();
  } finally {
    isOver = true;
    await Promise.all(work);
  }
  return calls;
}

function assertExhausted(answer: RawAnswer, text: string, cause: string): void {
  assert.deepEqual(
    [answer.status, answer.message, answer.failure === '' || answer.failure === 'rst 0'],
    [RESOURCE_EXHAUSTED, text, true],
  );
  assert.equal(answer.headers['x-resource-exhausted-cause'], cause);
  assert.equal(answer.headers['x-resource-exhausted-scope'], 'NAMESPACE');
  assert.match(
    Buffer.from(String(answer.headers['grpc-status-details-bin']), 'base64').toString('latin1'),
    /temporal\.api\.errordetails\.v1\.ResourceExhaustedFailure/,
  );
}

/** Records of refusals for this reason, with what was folded into them. */
async function recorded(namespace: string, reason: string): Promise<number> {
  const events = (await site.house.events()).filter(
    (event) => event['namespace'] === namespace && event['reason'] === reason,
  );
  return events.reduce((sum, event) => sum + Number(event['count']), 0);
}

async function waitForRecords(namespace: string, reason: string, count: number): Promise<void> {
  await until(`${count} records of ${reason}`, async () => (await recorded(namespace, reason)) >= count);
  assert.equal(await recorded(namespace, reason), count);
}

test('T-095a calls at 50 times the limit are refused to their namespace alone, and the engine sees what the limit allows', async () => {
  await limit(FLOODER, { callsPerSecond: 20, burstSeconds: 1 });
  const flooders = openFlooder(5);
  const before = await recorded(FLOODER, 'namespace_rate_limit');
  let refused = 0;
  const seen: Record<string, number> = {};
  await site.engine.saw(seen, async () => {
    const startedMs = performance.now();
    let served = 0;
    const calls = await besideNeighbour(async () => {
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
  await waitForRecords(FLOODER, 'namespace_rate_limit', before + refused);
  for (const client of flooders) client.close();
});

test('T-095a polls beyond the limit are refused, what waits is held to it, and a closed connection frees its place', async () => {
  await limit(FLOODER, { polls: 10, waits: 3 });
  const flooders = openFlooder(5);
  const poll = (client: RawClient, id = FLOODER): Promise<RawAnswer> =>
    client.call(
      `${WORKFLOW_SERVICE}PollActivityTaskQueue`,
      encode('workflowservice.v1.PollActivityTaskQueueRequest', {
        namespace: id,
        taskQueue: { name: 'none' },
      }),
      { timeoutMs: 30_000 },
    );
  const history = (client: RawClient, waitNewEvent: boolean): Promise<RawAnswer> =>
    client.call(
      `${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`,
      encode('workflowservice.v1.GetWorkflowExecutionHistoryRequest', {
        namespace: FLOODER,
        execution: { workflowId: 'waited-for' },
        waitNewEvent,
      }),
      { timeoutMs: 30_000 },
    );
  const [first] = flooders;
  assert.ok(first);
  const started = await first.call(
    `${WORKFLOW_SERVICE}StartWorkflowExecution`,
    encode('workflowservice.v1.StartWorkflowExecutionRequest', {
      namespace: FLOODER,
      workflowId: 'waited-for',
      workflowType: { name: 'none' },
      taskQueue: { name: 'none' },
      requestId: 'one',
    }),
  );
  assert.equal(started.status, 0, started.message);
  const refusals: RawAnswer[] = [];
  await besideNeighbour(async () => {
    for (let count = 0; count < 500; count += 1) {
      void poll(flooders[count % 5] ?? first).then((answer) => refusals.push(answer));
    }
    await until('the surplus is refused', async () => refusals.length === 490);
    assert.equal(useOf(FLOODER).polls, 10);
    for (const answer of refusals)
      assertExhausted(answer, 'namespace concurrent poller limit exceeded', 'CONCURRENT_LIMIT');
    // The first page comes at once, and its token is what waits for more: so each asks anew until it waits.
    const waiting = Array.from({ length: 5 }, () => awaitEvents(first));
    const over = await Promise.race(waiting);
    assertExhausted(over, 'namespace concurrent poller limit exceeded', 'CONCURRENT_LIMIT');
    await until('the places are taken', async () => useOf(FLOODER).waits === 3);
    assert.equal((await history(first, false)).status, 0, 'a history that is there is read all the same');
    void poll(neighbours[0] ?? first, NEIGHBOUR);
    await until('the neighbour polls', async () => useOf(NEIGHBOUR).polls === 1);
    for (const client of flooders) client.close();
    await until('all is given back', async () => useOf(FLOODER).polls + useOf(FLOODER).waits === 0);
    assert.equal(useOf(NEIGHBOUR).polls, 1);
  });
});

/** Reads a history as SDKs wait for a result: with the token of the page before. */
async function awaitEvents(client: RawClient): Promise<RawAnswer> {
  let nextPageToken = new Uint8Array(0);
  for (;;) {
    const answer = await client.call(
      `${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`,
      encode('workflowservice.v1.GetWorkflowExecutionHistoryRequest', {
        namespace: FLOODER,
        execution: { workflowId: 'waited-for' },
        waitNewEvent: true,
        nextPageToken,
      }),
      { timeoutMs: 30_000 },
    );
    if (answer.status !== 0) return answer;
    ({ nextPageToken } = decode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', answer.body));
  }
}

test('T-095a bodies that are held back are bounded for their namespace over all its connections', async () => {
  await limit(FLOODER, { requestMebibytes: 8 });
  const flooders = openFlooder(4);
  const streams: ClientHttp2Stream[] = [];
  let refused = 0;
  let mostBytes = 0;
  await besideNeighbour(async () => {
    for (const client of flooders) {
      for (let count = 0; count < 8; count += 1) {
        const stream = client.session.request({
          ':method': 'POST',
          ':path': `${WORKFLOW_SERVICE}StartWorkflowExecution`,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => undefined);
        stream.on('response', (headers) => {
          if (headers['grpc-message'] === 'too many bytes in flight in this namespace') refused += 1;
        });
        // A message of 2 MiB is announced, and its end never comes.
        stream.write(Buffer.from([0, 0, 0x20, 0, 0]));
        stream.write(Buffer.alloc(MIB - 100));
        streams.push(stream);
      }
    }
    await until('the surplus is refused', async () => {
      mostBytes = Math.max(mostBytes, useOf(FLOODER).requestBytes);
      return refused >= 24;
    });
    for (const stream of streams) stream.close();
    await until('all is given back', async () => useOf(FLOODER).requestBytes === 0);
  });
  // What came in one read of each connection is counted before it is refused.
  assert.ok(mostBytes <= 8 * MIB + 4 * 64 * 1024, `${mostBytes} bytes were held`);
  for (const client of flooders) client.close();
});

test('replies that nobody reads stop new calls of their namespace, until they are read', async () => {
  await limit(FLOODER, { replyMebibytes: 8 });
  const [client] = openFlooder(1);
  assert.ok(client);
  const path = `${WORKFLOW_SERVICE}StartWorkflowExecution`;
  const start = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
    namespace: FLOODER,
    workflowId: 'large',
    workflowType: { name: 'none' },
    taskQueue: { name: 'none' },
    requestId: 'one',
    input: { payloads: [{ data: new Uint8Array(MIB) }] },
  });
  assert.equal((await client.call(path, start)).status, 0);
  const frame = encode('workflowservice.v1.GetWorkflowExecutionHistoryRequest', {
    namespace: FLOODER,
    execution: { workflowId: 'large' },
  });
  const unread = Array.from({ length: 6 }, () => {
    const stream = client.session.request({
      ':method': 'POST',
      ':path': `${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(frame.length, 1);
    stream.end(Buffer.concat([prefix, frame]));
    return stream;
  });
  await until('replies wait', async () => useOf(FLOODER).replyBytes > 4 * MIB);
  assert.ok(useOf(FLOODER).replyBytes <= 8 * MIB);
  const answer = await describe(client, FLOODER);
  assertExhausted(answer, 'too many bytes in flight in this namespace', 'CONCURRENT_LIMIT');
  for (const neighbour of neighbours) assert.equal((await describe(neighbour, NEIGHBOUR)).status, 0);
  for (const stream of unread) stream.resume();
  await until('they are read', async () => useOf(FLOODER).replyBytes === 0);
  assert.equal((await describe(client, FLOODER)).status, 0);
  client.close();
});

test('T-095a connections beyond the limit are closed after their handshake, and recorded; places become free', async () => {
  await until('earlier ones are gone', async () => useOf(FLOODER).connections === 0);
  await limit(FLOODER, { connections: 3 });
  const clients = openFlooder(8);
  const answers = await Promise.all(clients.map((client) => describe(client, FLOODER)));
  assert.equal(answers.filter(({ status }) => status === 0).length, 3);
  assert.equal(answers.filter(({ status }) => status === -1).length, 5);
  await waitForRecords(FLOODER, 'connection_limit', 5);
  for (const client of clients) client.close();
  await until('places are free', async () => useOf(FLOODER).connections === 0);
  const [again] = openFlooder(1);
  assert.ok(again);
  assert.equal((await describe(again, FLOODER)).status, 0);
  again.close();
});

test('T-095b many connections and certificates, HTTP and gRPC mixed: the limit follows the namespace, HTTP is told when to come again', async () => {
  await limit(FLOODER, { callsPerSecond: 5, burstSeconds: 2 });
  const credential = homeCredential(site.house.endpoint, FLOODER);
  const others = await Promise.all([1, 2, 3].map(otherCertificate));
  const startedMs = performance.now();
  const clients = [...openFlooder(10), ...others.map((other) => site.open(FLOODER, other))];
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

test('searches have a limit of their own, and leave the other calls alone', async () => {
  await limit(FLOODER, { visibilityPerSecond: 1, burstSeconds: 3 });
  const [client] = openFlooder(1);
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
  await besideNeighbour(async () => {
    const storm = Promise.all(Array.from({ length: 250 }, attempt));
    const fresh = site.open(NEIGHBOUR, homeCredential(endpoint, NEIGHBOUR));
    assert.equal((await describe(fresh, NEIGHBOUR)).status, 0);
    for (const end of await storm) {
      if (end === 'ended') ended += 1;
      else secure += 1;
    }
  });
  const allowed = STORM_BURST + (50 * (performance.now() - startedMs)) / 1000;
  assert.ok(secure > 0 && secure <= allowed, `${secure} handshakes were done, the limit allows ${allowed}`);
  await waitForRecords('', 'handshake_limit', ended);
  for (const socket of sockets) socket.destroy();
});

test('a real Worker lives through refused polls and calls, backs off and ends all its work', async () => {
  await limit(TINY, { callsPerSecond: 8, burstSeconds: 1, polls: 1 });
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
    await limit(TINY, { callsPerSecond: 8, burstSeconds: 1 });
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
  assert.ok(useOf(TINY).refused > before, 'the limit was met');
  await connection.close();
  await workerConnection.close();
});
