import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import { fieldOf } from './header-fields.ts';
import {
  openClient,
  requestFields,
  startPeerServer,
  startServer,
  type TestClient,
  Witness,
} from './http2-fixture.test.ts';
import { settle, until } from './waiting-fixture.test.ts';

const MIB = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Sends a request for `/it`. */
function ask({ connection }: TestClient, body: Buffer | readonly Buffer[] = NOTHING): Witness {
  const witness = new Witness();
  assert.ok(connection.request(requestFields(), body, witness), 'the connection takes no request');
  return witness;
}

function answerAtOnce(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 }, { endStream: true });
  stream.resume();
}

test('an answer is told in order: headers, body, trailers, end', async (t) => {
  const { port } = await startPeerServer(t, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end('answer');
  });
  const witness = ask(await openClient(t, port), Buffer.from('question'));
  assert.equal(await witness.whenClosed(), Http2Code.NO_ERROR);
  assert.deepEqual(witness.told, ['headers', 'data', 'headers', 'end', 'closed 0']);
  assert.deepEqual(witness.fields[0]?.slice(0, 4), [':status', '200', 'content-type', 'application/grpc']);
  assert.deepEqual(witness.fields[1], ['grpc-status', '0']);
  assert.equal(witness.body.toString(), 'answer');
});

test('an answer of headers alone is told as such', async (t) => {
  const { port } = await startPeerServer(t, answerAtOnce);
  const witness = ask(await openClient(t, port));
  await witness.whenClosed();
  assert.deepEqual(witness.told, ['headers', 'end', 'closed 0']);
});

test('what a server says before its answer is told to nobody', async (t) => {
  const { port } = await startPeerServer(t, (stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</style.css>' });
    answerAtOnce(stream);
  });
  const witness = ask(await openClient(t, port));
  await witness.whenClosed();
  assert.deepEqual(witness.told, ['headers', 'end', 'closed 0']);
  assert.deepEqual(witness.fields[0]?.slice(0, 2), [':status', '200']);
});

test('a request of 3 MiB arrives whole, in pieces or in one, and what waits is told', async (t) => {
  const bodies: Buffer[] = [];
  const { port } = await startPeerServer(t, (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      stream.respond({ ':status': 200 }, { endStream: true });
    });
  });
  const client = await openClient(t, port);
  const body = randomBytes(3 * MIB);
  const pieces = [0, 1, 5, 100_000, 100_000, 2 * MIB, 3 * MIB].map((at, index, all) =>
    body.subarray(all[index - 1] ?? 0, at),
  );
  const inPieces = ask(client, pieces);
  const inOne = ask(client, body);
  assert.equal(client.connection.unsentBytes, 6 * MIB);
  assert.equal(await inPieces.whenClosed(), 0);
  assert.equal(await inOne.whenClosed(), 0);
  assert.equal(client.connection.unsentBytes, 0);
  assert.deepEqual(
    bodies.map((it) => it.equals(body)),
    [true, true],
  );
});

test('an answer of 3 MiB arrives whole, beside others', async (t) => {
  const answer = randomBytes(3 * MIB);
  const { port } = await startPeerServer(t, (stream) => {
    stream.respond({ ':status': 200 });
    stream.end(answer);
  });
  const client = await openClient(t, port);
  const witnesses = [ask(client), ask(client), ask(client)];
  for (const witness of witnesses) {
    assert.equal(await witness.whenClosed(), 0);
    assert.ok(witness.body.equals(answer));
  }
});

test('header values of latin1 pass byte for byte in both directions', async (t) => {
  const value = String.fromCharCode(0x21, ...Array.from({ length: 0x80 }, (_, at) => 0x80 + at), 0x7e);
  let came: string | undefined;
  const { port } = await startPeerServer(t, (stream, raw) => {
    came = fieldOf(raw, 'x-there');
    stream.respond({ ':status': 200, 'x-back': value }, { endStream: true });
  });
  const { connection } = await openClient(t, port);
  const witness = new Witness();
  connection.request(requestFields('x-there', value), NOTHING, witness);
  await witness.whenClosed();
  assert.equal(came, value);
  assert.equal(fieldOf(witness.fields[0] ?? [], 'x-back'), value);
});

for (const [what, fields] of [
  ['too many', Array.from({ length: 257 }, (_, at) => [`x-${at}`, 'v']).flat()],
  ['too long', ['x-long', 'v'.repeat(128 * 1024)]],
] as const) {
  test(`a request with ${what} fields throws RangeError, and the connection goes on`, async (t) => {
    const { port } = await startPeerServer(t, answerAtOnce);
    const client = await openClient(t, port);
    assert.throws(
      () => client.connection.request(requestFields(...fields), NOTHING, new Witness()),
      RangeError,
    );
    assert.equal(await ask(client).whenClosed(), 0);
    assert.deepEqual([client.errors, client.connection.isClosing], [[], false]);
  });
}

test('a request whose headers are too long for us to send is told so, and the connection goes on', async (t) => {
  const paths: string[] = [];
  const { port } = await startPeerServer(t, (stream, raw) => {
    paths.push(fieldOf(raw, ':path') ?? '');
    answerAtOnce(stream);
  });
  const client = await openClient(t, port, { sentHeaderBytesMax: 10_000 });
  const witness = new Witness();
  const large = requestFields('x', 'v'.repeat(10_000));
  client.connection.request(large, Buffer.from('body'), witness);
  assert.notEqual(await witness.whenClosed(), Http2Code.NO_ERROR);
  assert.equal(witness.told.length, 1);
  assert.equal(client.connection.unsentBytes, 0);
  assert.equal(await ask(client).whenClosed(), 0);
  assert.deepEqual(paths, ['/it']);
});

test('T-026b a request that is too large for the server ends alone', async (t) => {
  const server = await startServer(t, (stream) => stream.respondOnly([':status', '200']));
  const client = await openClient(t, server.port);
  const witness = new Witness();
  const large = Array.from({ length: 100 }, (_, at) => [`x-${at}`, 'v'.repeat(1000)]).flat();
  client.connection.request(requestFields(...large), Buffer.from('body'), witness);
  assert.equal(await witness.whenClosed(), Http2Code.ENHANCE_YOUR_CALM);
  assert.equal(await ask(client).whenClosed(), 0);
  assert.deepEqual([server.bugs, server.faults, client.errors], [[], [], []]);
});

test('requests beyond what the server takes at once wait and are then served in turn', async (t) => {
  const open: ServerHttp2Stream[] = [];
  let most = 0;
  const { port } = await startPeerServer(
    t,
    (stream) => {
      open.push(stream);
      most = Math.max(most, open.length);
      stream.resume();
    },
    { settings: { maxConcurrentStreams: 2 } },
  );
  const client = await openClient(t, port, { peerStreamsMax: 1 });
  const witnesses = Array.from({ length: 7 }, () => ask(client, Buffer.from('body')));
  for (let answered = 0; answered < 7; answered += 1) {
    await until(() => open.length > 0, 'a request');
    assert.equal(witnesses[answered]?.code, undefined);
    open.shift()?.respond({ ':status': 200 }, { endStream: true });
    assert.equal(await witnesses[answered]?.whenClosed(), 0);
  }
  assert.equal(most, 2);
});

test('a request that is cancelled before it was sent never reaches the server', async (t) => {
  const paths: string[] = [];
  const open: ServerHttp2Stream[] = [];
  const { port } = await startPeerServer(
    t,
    (stream, raw) => {
      paths.push(fieldOf(raw, ':path') ?? '');
      open.push(stream);
      stream.resume();
    },
    { settings: { maxConcurrentStreams: 1 } },
  );
  const client = await openClient(t, port, { peerStreamsMax: 1 });
  const sent = (path: string, witness: Witness) =>
    client.connection.request(
      [':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', path],
      Buffer.from('body'),
      witness,
    );
  const [first, waiting, last] = [new Witness(), new Witness(), new Witness()];
  sent('/first', first);
  const cancelled = sent('/waiting', waiting);
  sent('/last', last);
  await until(() => open.length === 1, 'the first request');
  cancelled?.reset(Http2Code.CANCEL);
  open.shift()?.respond({ ':status': 200 }, { endStream: true });
  await until(() => open.length === 1, 'the last request');
  open.shift()?.respond({ ':status': 200 }, { endStream: true });
  assert.equal(await last.whenClosed(), 0);
  await waiting.whenClosed();
  await settle();
  assert.deepEqual(paths, ['/first', '/last']);
  assert.equal(waiting.told.length, 1);
  assert.equal(client.connection.unsentBytes, 0);
});

test('a request that is cancelled while it waits is told so at once, and nothing of it is held', async (t) => {
  const open: ServerHttp2Stream[] = [];
  const { port } = await startPeerServer(
    t,
    (stream) => {
      open.push(stream);
      stream.resume();
    },
    { settings: { maxConcurrentStreams: 1 } },
  );
  const client = await openClient(t, port, { peerStreamsMax: 1 });
  ask(client);
  const waiting = new Witness();
  const cancelled = client.connection.request(requestFields(), Buffer.alloc(MIB), waiting);
  await until(() => open.length === 1, 'the first request');
  cancelled?.reset(Http2Code.CANCEL);
  await settle();
  assert.deepEqual(waiting.told, [`closed ${Http2Code.CANCEL}`]);
  assert.equal(client.connection.unsentBytes, 0);
});
