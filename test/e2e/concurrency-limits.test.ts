import assert from 'node:assert/strict';
import type { ClientHttp2Stream } from 'node:http2';
import { after, before, test } from 'node:test';
import { describe } from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  decode,
  encode,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';
import { assertExhausted, FLOODER, type LimitsSite, NEIGHBOUR, startLimitsSite } from './limits-site.ts';

// threats.md T-095: what a namespace may have under way at once. How much it may ask in a second is in
// rate-limits.test.ts.

const MIB = 1024 * 1024;

let site: LimitsSite;
before(async () => {
  site = await startLimitsSite();
});
after(() => site?.close());

test('T-095a polls beyond the limit are refused, what waits is held to it, and a closed connection frees its place', async () => {
  await site.limit(FLOODER, { polls: 10, waits: 3 });
  const flooders = site.openFlooder(5);
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
  await site.besideNeighbour(async () => {
    for (let count = 0; count < 500; count += 1) {
      void poll(flooders[count % 5] ?? first).then((answer) => refusals.push(answer));
    }
    await until('the surplus is refused', async () => refusals.length === 490);
    assert.equal(site.useOf(FLOODER).polls, 10);
    for (const answer of refusals)
      assertExhausted(answer, 'namespace concurrent poller limit exceeded', 'CONCURRENT_LIMIT');
    // The first page comes at once, and its token is what waits for more: so each asks anew until it waits.
    const waiting = Array.from({ length: 5 }, () => awaitEvents(first));
    const over = await Promise.race(waiting);
    assertExhausted(over, 'namespace concurrent poller limit exceeded', 'CONCURRENT_LIMIT');
    await until('the places are taken', async () => site.useOf(FLOODER).waits === 3);
    assert.equal((await history(first, false)).status, 0, 'a history that is there is read all the same');
    void poll(site.neighbours[0] ?? first, NEIGHBOUR);
    await until('the neighbour polls', async () => site.useOf(NEIGHBOUR).polls === 1);
    for (const client of flooders) client.close();
    await until('all is given back', async () => site.useOf(FLOODER).polls + site.useOf(FLOODER).waits === 0);
    assert.equal(site.useOf(NEIGHBOUR).polls, 1);
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
  await site.limit(FLOODER, { requestMebibytes: 8 });
  const flooders = site.openFlooder(4);
  const streams: ClientHttp2Stream[] = [];
  let refused = 0;
  let mostBytes = 0;
  await site.besideNeighbour(async () => {
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
      mostBytes = Math.max(mostBytes, site.useOf(FLOODER).requestBytes);
      return refused >= 24;
    });
    for (const stream of streams) stream.close();
    await until('all is given back', async () => site.useOf(FLOODER).requestBytes === 0);
  });
  // What came in one read of each connection is counted before it is refused.
  assert.ok(mostBytes <= 8 * MIB + 4 * 64 * 1024, `${mostBytes} bytes were held`);
  for (const client of flooders) client.close();
});

test('replies that nobody reads stop new calls of their namespace, until they are read', async () => {
  await site.limit(FLOODER, { replyMebibytes: 8 });
  const [client] = site.openFlooder(1);
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
  await until('replies wait', async () => site.useOf(FLOODER).replyBytes > 4 * MIB);
  assert.ok(site.useOf(FLOODER).replyBytes <= 8 * MIB);
  const answer = await describe(client, FLOODER);
  assertExhausted(answer, 'too many bytes in flight in this namespace', 'CONCURRENT_LIMIT');
  for (const neighbour of site.neighbours) assert.equal((await describe(neighbour, NEIGHBOUR)).status, 0);
  for (const stream of unread) stream.resume();
  await until('they are read', async () => site.useOf(FLOODER).replyBytes === 0);
  assert.equal((await describe(client, FLOODER)).status, 0);
  client.close();
});

test('T-095a connections beyond the limit are closed after their handshake, and recorded; places become free', async () => {
  await until('earlier ones are gone', async () => site.useOf(FLOODER).connections === 0);
  await site.limit(FLOODER, { connections: 3 });
  const clients = site.openFlooder(8);
  const answers = await Promise.all(clients.map((client) => describe(client, FLOODER)));
  assert.equal(answers.filter(({ status }) => status === 0).length, 3);
  assert.equal(answers.filter(({ status }) => status === -1).length, 5);
  await site.waitForRecords(FLOODER, 'connection_limit', 5);
  for (const client of clients) client.close();
  await until('places are free', async () => site.useOf(FLOODER).connections === 0);
  const [again] = site.openFlooder(1);
  assert.ok(again);
  assert.equal((await describe(again, FLOODER)).status, 0);
  again.close();
});
