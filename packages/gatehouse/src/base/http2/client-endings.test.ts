import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { ClientStream } from './client-connection.ts';
import { Http2Code } from './error-codes.ts';
import {
  FramePeer,
  FrameType,
  goawayFrame,
  headerFrames,
  PREFACE,
  rawFrame,
  resetFrame,
  settingsFrame,
} from './frames-fixture.test.ts';
import {
  openClient,
  type PeerServer,
  requestFields,
  startPeerServer,
  startTlsServer,
  type TestClient,
  Witness,
} from './http2-fixture.test.ts';
import { settle, until } from './waiting-fixture.test.ts';

const NOTHING = Buffer.alloc(0);
const REFUSED = `closed ${Http2Code.REFUSED_STREAM}`;
const CANCELLED = `closed ${Http2Code.CANCEL}`;

function ask({ connection }: TestClient, body: Buffer = NOTHING): Witness {
  const witness = new Witness();
  assert.ok(connection.request(requestFields(), body, witness), 'the connection takes no request');
  return witness;
}

/** A server of the test's own frames, and a client that has said hello. */
async function openFrames(t: TestContext): Promise<{ client: TestClient; peer: FramePeer }> {
  let socket: TLSSocket | undefined;
  const port = await startTlsServer(t, (it) => {
    socket = it;
  });
  const client = await openClient(t, port);
  await until(() => socket !== undefined, 'a connection');
  assert.ok(socket);
  const peer = new FramePeer(socket, PREFACE.length);
  peer.send(settingsFrame());
  return { client, peer };
}

test('after GOAWAY requests beyond its last id are refused, and those before it are answered', async (t) => {
  const { client, peer } = await openFrames(t);
  const [first, second, third] = [ask(client), ask(client), ask(client)];
  await until(() => peer.of(FrameType.HEADERS, 5).length === 1, 'the requests');
  peer.send(goawayFrame(3, Http2Code.NO_ERROR));
  assert.equal(await third.whenClosed(), Http2Code.REFUSED_STREAM);
  assert.deepEqual([client.goaways.count, client.connection.isClosing], [1, true]);
  assert.equal(client.connection.request(requestFields(), NOTHING, new Witness()), undefined);
  peer.send(headerFrames(1, [':status', '200']), headerFrames(3, [':status', '204']));
  assert.deepEqual([await first.whenClosed(), await second.whenClosed()], [0, 0]);
  await until(() => peer.hasEnded, 'the end of the connection');
  assert.deepEqual([first.told, third.told], [['headers', 'end', 'closed 0'], [REFUSED]]);
});

test('after GOAWAY requests that were never sent are refused too, so that they may be tried elsewhere', async (t) => {
  const { client, peer } = await openFrames(t);
  const MAX_CONCURRENT_STREAMS = 3;
  peer.send(settingsFrame([MAX_CONCURRENT_STREAMS, 1]));
  await until(() => peer.of(FrameType.SETTINGS, 0).length >= 3, 'the settings to be taken');
  const [first, waiting] = [ask(client), ask(client)];
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'the first request');
  peer.send(goawayFrame(1, Http2Code.NO_ERROR));
  await until(() => client.goaways.count === 1, 'GOAWAY');
  peer.send(headerFrames(1, [':status', '200']));
  assert.equal(await first.whenClosed(), 0);
  assert.equal(await waiting.whenClosed(), Http2Code.REFUSED_STREAM);
  assert.deepEqual(waiting.told, [REFUSED]);
  assert.equal(peer.of(FrameType.HEADERS, 3).length, 0);
});

/** How far a request has come when it ends. */
const steps: Readonly<Record<string, { told: string[]; reach: (stream: ServerHttp2Stream) => void }>> = {
  'before it is answered': { told: [], reach: (stream) => stream.resume() },
  'after the headers of its answer': {
    told: ['headers'],
    reach: (stream) => stream.respond({ ':status': 200 }),
  },
  'amid its answer': {
    told: ['headers', 'data'],
    reach: (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('some');
    },
  },
};

interface UnderWay {
  readonly client: TestClient;
  readonly server: PeerServer;
  readonly sent: ClientStream;
  readonly served: ServerHttp2Stream;
}

interface Ending {
  readonly code: number;
  readonly end: (underWay: UnderWay) => void;
  /** As the runtime's server does with an answer that it has begun. */
  readonly endsFirst?: boolean;
}

const endings: Readonly<Record<string, Ending>> = {
  'a reset of ours': {
    code: Http2Code.CANCEL,
    end: ({ sent }) => sent.reset(Http2Code.CANCEL),
  },
  "the server's reset": {
    code: Http2Code.ENHANCE_YOUR_CALM,
    end: ({ served }) => served.close(Http2Code.ENHANCE_YOUR_CALM),
    endsFirst: true,
  },
  'the end of the connection that we make': {
    code: Http2Code.CANCEL,
    end: ({ client }) => client.connection.destroy(),
  },
  'the end of the connection that the server makes': {
    code: Http2Code.CANCEL,
    end: ({ server }) => server.sessions[0]?.destroy(),
  },
  'the loss of the socket': {
    code: Http2Code.CANCEL,
    end: ({ client }) => client.socket.destroy(),
  },
};

for (const [step, { told, reach }] of Object.entries(steps)) {
  for (const [by, { code, end, endsFirst }] of Object.entries(endings)) {
    test(`a request that ${by} ends ${step} is told of it once, and nothing after`, async (t) => {
      let served: ServerHttp2Stream | undefined;
      const server = await startPeerServer(t, (stream) => {
        served = stream;
        reach(stream);
      });
      const client = await openClient(t, server.port);
      const witness = new Witness();
      const sent = client.connection.request(requestFields(), Buffer.alloc(256 * 1024), witness);
      await until(() => served !== undefined && witness.told.length === told.length, step);
      assert.ok(sent !== undefined && served !== undefined);
      end({ client, server, sent, served });
      assert.equal(await witness.whenClosed(), code);
      sent.send(Buffer.from('late'));
      sent.consume(1);
      sent.reset(Http2Code.CANCEL);
      await settle();
      const ended = endsFirst === true && told.length > 0 ? ['end'] : [];
      assert.deepEqual(witness.told, [...told, ...ended, `closed ${code}`]);
      assert.deepEqual([sent.isClosed, client.connection.unsentBytes], [true, 0]);
    });
  }
}

test('all requests of a connection that is lost are cancelled, those that waited too', async (t) => {
  const server = await startPeerServer(t, (stream) => stream.resume(), {
    settings: { maxConcurrentStreams: 2 },
  });
  const client = await openClient(t, server.port, { peerStreamsMax: 2 });
  const witnesses = [1, 2, 3, 4].map(() => ask(client, Buffer.alloc(100_000)));
  let gone = 0;
  client.connection.onClose(() => {
    gone += 1;
  });
  await until(() => server.sessions.length === 1, 'the connection');
  client.socket.destroy(new Error('lost'));
  await until(() => gone === 1, 'the loss');
  for (const { told } of witnesses) assert.deepEqual(told, [CANCELLED]);
  assert.equal(client.connection.request(requestFields(), NOTHING, new Witness()), undefined);
  assert.deepEqual([client.connection.isDestroyed, client.errors.length, gone], [true, 1, 1]);
});

test('a connection that we close answers what has begun, then goes', async (t) => {
  let served: ServerHttp2Stream | undefined;
  const { port } = await startPeerServer(t, (stream) => {
    served = stream;
  });
  const client = await openClient(t, port);
  const witness = ask(client);
  await until(() => served !== undefined, 'the request');
  let gone = false;
  client.connection.onClose(() => {
    gone = true;
  });
  client.connection.close();
  assert.equal(client.connection.request(requestFields(), NOTHING, new Witness()), undefined);
  served?.respond({ ':status': 200 }, { endStream: true });
  assert.equal(await witness.whenClosed(), 0);
  await until(() => gone, 'the end of the connection');
});

test('pings of ours are answered', async (t) => {
  const { port } = await startPeerServer(t, () => undefined);
  const { connection } = await openClient(t, port);
  let answered = 0;
  connection.ping(() => {
    answered += 1;
  });
  await until(() => answered === 1, 'the answer');
});

test('a server that resets twice is told of once', async (t) => {
  const { client, peer } = await openFrames(t);
  const witness = ask(client);
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'the request');
  peer.send(resetFrame(1, Http2Code.REFUSED_STREAM), resetFrame(1, Http2Code.CANCEL));
  await witness.whenClosed();
  await peer.roundTrip();
  assert.deepEqual(witness.told, [REFUSED]);
});

test('an answer whose headers are too large ends its request alone', async (t) => {
  const { client, peer } = await openFrames(t);
  const [large, small] = [ask(client), ask(client)];
  await until(() => peer.of(FrameType.HEADERS, 3).length === 1, 'the requests');
  peer.send(headerFrames(1, [':status', '200', 'x', 'v'.repeat(65_536)]));
  peer.send(headerFrames(3, [':status', '200']));
  assert.equal(await large.whenClosed(), Http2Code.ENHANCE_YOUR_CALM);
  assert.equal(await small.whenClosed(), 0);
  assert.deepEqual([large.told.length, client.errors], [1, []]);
});

test('a server that does not speak HTTP/2 is told of and hung up on', async (t) => {
  const { client, peer } = await openFrames(t);
  const witness = ask(client);
  peer.send(rawFrame(FrameType.DATA, 0, 0, Buffer.from('HTTP/1.1 400 Bad Request')));
  assert.equal(await witness.whenClosed(), Http2Code.CANCEL);
  await until(() => peer.hasEnded, 'the end');
  assert.deepEqual(witness.told, [CANCELLED]);
});
