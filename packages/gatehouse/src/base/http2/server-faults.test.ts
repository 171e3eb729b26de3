import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import { connectPeer, startServer, type TestServer, Witness } from './http2-fixture.test.ts';
import { answerOf, call, openCall } from './peer-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { settle, until } from './waiting-fixture.test.ts';

const OK = [':status', '200'];
const planted = new Error('planted');
function fault(): never {
  throw planted;
}

/** Where a fault of ours may lie: what a server does with a call for `/fault`. */
const places: Readonly<Record<string, (stream: ServerStream, server: TestServer) => void>> = {
  'in taking a call': fault,
  'in reading its body': (stream) => stream.read({ ...new Witness(), data: fault, end() {}, closed() {} }),
  'in reading its end': (stream) => stream.read({ ...new Witness(), data() {}, end: fault, closed() {} }),
  'in hearing that it is closed': (stream) => {
    stream.read({ data() {}, end() {}, closed: fault });
    stream.reset(Http2Code.CANCEL);
  },
  'in hearing that a ping was answered': (_stream, { connections }) => connections[0]?.ping(fault),
};

for (const [place, serve] of Object.entries(places)) {
  test(`T-008 a fault of ours ${place} ends this connection, is told, and harms no other`, async (t) => {
    const other = new Witness();
    const server = await startServer(t, (stream) => {
      if (stream.field(':path') === '/fault') return serve(stream, server);
      if (stream.field(':path') === '/beside') return stream.read(other);
      return stream.respondOnly(OK);
    });
    const [peer, neighbour] = [await connectPeer(t, server.port), await connectPeer(t, server.port)];
    const beside = openCall(peer, { ':path': '/beside' });
    await until(() => server.connections[0]?.openStreamCount === 1, 'the call beside it');
    const goaways: number[] = [];
    peer.on('goaway', (code: number) => goaways.push(code));
    const faulty = call(peer, 'question', { ':path': '/fault' });

    await until(() => peer.destroyed, 'the end of the connection');
    assert.notEqual((await faulty).code, Http2Code.NO_ERROR);
    assert.equal(await other.whenClosed(), Http2Code.CANCEL);
    assert.deepEqual(goaways, [Http2Code.INTERNAL_ERROR]);
    assert.equal(beside.closed, true);
    assert.deepEqual(server.bugs, [planted]);
    assert.equal((await call(neighbour)).code, 0);
    assert.equal((await call(await connectPeer(t, server.port))).code, 0);
  });
}

interface Loss {
  readonly lose: (server: TestServer, peer: ClientHttp2Session) => void;
  /** How often we are told of a fault. */
  readonly bugs: number;
}

const losses: Readonly<Record<string, Loss>> = {
  'the socket is lost': { lose: ({ sockets }) => sockets[0]?.destroy(), bugs: 1 },
  'the connection is destroyed': { lose: ({ connections }) => connections[0]?.destroy(), bugs: 1 },
  'a fault of ours ended the connection': {
    lose: (_server, peer) => openCall(peer, { ':path': '/throws' }),
    bugs: 2,
  },
};

for (const [loss, { lose, bugs }] of Object.entries(losses)) {
  test(`T-008 a fault of ours in hearing that ${loss} keeps nobody else from hearing it`, async (t) => {
    const others = [new Witness(), new Witness()];
    const [first, second] = others;
    const server = await startServer(t, (stream) => {
      if (stream.field(':path') === '/throws') return fault();
      if (stream.field(':path') === '/well') return stream.respondOnly(OK);
      const witness = stream.field(':path') === '/fault' ? undefined : others.shift();
      return stream.read(witness ?? { data() {}, end() {}, closed: fault });
    });
    const [peer, neighbour] = [await connectPeer(t, server.port), await connectPeer(t, server.port)];
    for (const path of ['/one', '/fault', '/two']) openCall(peer, { ':path': path });
    await until(() => server.connections[0]?.openStreamCount === 3, 'the calls');
    let gone = false;
    server.connections[0]?.onClose(() => {
      gone = true;
    });
    const thrown: unknown[] = [];
    // What nobody catches would end the process.
    t.after(catchUncaught(thrown));
    try {
      lose(server, peer);
    } catch (error) {
      thrown.push(error);
    }
    assert.equal(await first?.whenClosed(), Http2Code.CANCEL);
    assert.equal(await second?.whenClosed(), Http2Code.CANCEL);
    await until(() => gone, 'the end of the connection');
    await settle();
    assert.deepEqual(thrown, []);
    assert.deepEqual(server.bugs, new Array(bugs).fill(planted));
    assert.equal((await call(neighbour, '', { ':path': '/well' })).code, 0);
  });
}

function catchUncaught(thrown: unknown[]): () => void {
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  return () => {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  };
}

const tooMany = Array.from({ length: 257 }, (_, at) => [`x-${at}`, 'v']).flat();
const tooLong = ['x-long', 'v'.repeat(128 * 1024)];

for (const [what, fields] of [
  ['too many', tooMany],
  ['too long', tooLong],
] as const) {
  for (const how of ['respond', 'respondOnly', 'inform'] as const) {
    test(`${how} throws RangeError for ${what} fields, and the call can still be answered`, async (t) => {
      const { port, bugs } = await startServer(t, (stream) => {
        if (stream.field('x-try') === 'yes') assert.throws(() => stream[how]([...OK, ...fields]), RangeError);
        stream.respondOnly([...OK, 'x-said', 'sorry']);
      });
      const peer = await connectPeer(t, port);
      const failed = openCall(peer, { 'x-try': 'yes' });
      const seen = answerOf(failed);
      failed.end();
      // The next call on the same connection shows that the first will get no more.
      assert.equal((await call(peer)).code, 0);
      await settle();
      assert.equal(failed.closed, true, 'the first call was never answered');
      assert.deepEqual((await seen).head.slice(2, 4), ['x-said', 'sorry']);
      assert.deepEqual(bugs, []);
    });
  }

  test(`${what} trailers end no call but their own`, async (t) => {
    const { port, bugs, connections } = await startServer(t, (stream) => {
      stream.respond(OK);
      stream.write(Buffer.from('body'));
      stream.end(stream.field('x-try') === 'yes' ? fields : []);
    });
    const peer = await connectPeer(t, port);
    const failed = call(peer, '', { 'x-try': 'yes' });
    assert.notEqual((await failed).code, Http2Code.NO_ERROR);
    assert.equal(connections[0]?.isDestroyed, false);
    assert.equal((await call(peer)).code, 0);
    assert.deepEqual(
      bugs.map((bug) => bug instanceof RangeError),
      [true],
    );
  });
}

/** Below what `writeFields` takes; nghttp2 by itself sends no header block of more than 64 KiB. */
const LARGE = ['x-large', 'v'.repeat(100 * 1024)];
const answersWithLarge: Readonly<Record<string, (stream: ServerStream) => void>> = {
  'headers of an answer': (stream) => stream.respondOnly([...OK, ...LARGE]),
  'headers before a body': (stream) => {
    stream.respond([...OK, ...LARGE]);
    stream.end();
  },
  'trailers of an answer': (stream) => {
    stream.respond(OK);
    stream.write(Buffer.from('body'));
    stream.end(LARGE);
  },
};

for (const [what, answer] of Object.entries(answersWithLarge)) {
  test(`${what} that are not sent because of their size do not leave the client waiting`, async (t) => {
    const { port, bugs } = await startServer(t, (stream) => {
      if (stream.field('x-try') !== 'yes') return stream.respondOnly(OK);
      try {
        return answer(stream);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return stream.reset(Http2Code.INTERNAL_ERROR);
      }
    });
    const peer = await connectPeer(t, port, { maxHeaderListPairs: 1000 });
    const large = openCall(peer, { 'x-try': 'yes' });
    large.resume();
    large.end();
    assert.equal((await call(peer)).code, 0);
    await new Promise((resolve) => peer.ping(resolve));
    assert.equal(large.closed, true, 'the call is left open');
    assert.deepEqual(bugs, []);
  });
}
