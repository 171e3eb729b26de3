import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import {
  FrameFlag,
  FramePeer,
  FrameType,
  headerFrames,
  PREFACE,
  settingsFrame,
  windowFrame,
} from './frames-fixture.test.ts';
import { connectPeer, connectTls, requestFields, startServer, Witness } from './http2-fixture.test.ts';
import { constantFields } from './nghttp2.ts';
import { answerOf, call, openCall } from './peer-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { until } from './waiting-fixture.test.ts';

const OK = [':status', '200', 'content-type', 'application/grpc'];
const MIB = 1024 * 1024;

test('an answer arrives whole: headers, body, trailers', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.write(Buffer.from('one, '));
    stream.write([Buffer.from('two, '), Buffer.alloc(0), Buffer.from('three')]);
    stream.end(['grpc-status', '0', 'x', 'y']);
  });
  const answer = await call(await connectPeer(t, port), 'question');
  assert.deepEqual(answer.head.slice(0, 4), OK);
  assert.equal(answer.body.toString(), 'one, two, three');
  assert.deepEqual(answer.trailers, ['grpc-status', '0', 'x', 'y']);
  assert.equal(answer.code, 0);
});

test('an answer that ends without trailers ends well', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.write(Buffer.from('all of it'));
    stream.end();
  });
  const answer = await call(await connectPeer(t, port));
  assert.equal(answer.body.toString(), 'all of it');
  assert.deepEqual(answer.trailers, []);
  assert.equal(answer.code, 0);
});

for (const body of ['all of it', '']) {
  test(`an answer of ${body.length} bytes without trailers ends with DATA, not with empty trailers`, async (t) => {
    const { port } = await startServer(t, (stream) => {
      stream.respond(OK);
      if (body !== '') stream.write(Buffer.from(body));
      stream.end();
    });
    const peer = new FramePeer(await connectTls(t, port));
    peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields()));
    const ends = () =>
      peer.frames.filter(({ stream, flags }) => stream === 1 && (flags & FrameFlag.END_STREAM) !== 0);
    await until(() => ends().length > 0, 'the end');
    assert.deepEqual(
      ends().map(({ type }) => type),
      [FrameType.DATA],
    );
    assert.equal(Buffer.concat(peer.of(FrameType.DATA, 1).map(({ payload }) => payload)).toString(), body);
  });
}

test('an answer may have trailers and no body', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.end(['grpc-status', '5']);
  });
  const answer = await call(await connectPeer(t, port));
  assert.equal(answer.body.length, 0);
  assert.deepEqual(answer.trailers, ['grpc-status', '5']);
  assert.equal(answer.code, 0);
});

test('an answer may have neither body nor trailers', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.end();
  });
  const answer = await call(await connectPeer(t, port));
  assert.deepEqual([answer.head.slice(0, 2), answer.body.length, answer.code], [[':status', '200'], 0, 0]);
});

test('an answer that is only headers ends the stream with them', async (t) => {
  const { port } = await startServer(t, (stream) => stream.respondOnly([...OK, 'grpc-status', '7']));
  const peer = await connectPeer(t, port);
  const stream = openCall(peer);
  let endsWithHeaders = false;
  stream.on('response', (_headers, flags) => {
    endsWithHeaders = (flags & 1) === 1;
  });
  const seen = answerOf(stream);
  stream.end();
  const answer = await seen;
  assert.equal(endsWithHeaders, true);
  assert.deepEqual(answer.head.slice(4, 6), ['grpc-status', '7']);
  assert.equal(answer.code, 0);
});

test('an answer to HEAD tells of a body that does not come', async (t) => {
  const { port } = await startServer(t, (stream) => {
    assert.equal(stream.field(':method'), 'HEAD');
    stream.respondOnly([':status', '200', 'content-length', '123']);
  });
  const answer = await call(await connectPeer(t, port), '', { ':method': 'HEAD' });
  assert.deepEqual(answer.head.slice(0, 4), [':status', '200', 'content-length', '123']);
  assert.deepEqual([answer.body.length, answer.code], [0, 0]);
});

test('100 Continue comes before the answer, and after the answer it is dropped', async (t) => {
  const { port, bugs } = await startServer(t, (stream) => {
    stream.inform([':status', '100']);
    stream.respond(OK);
    stream.inform([':status', '103']);
    stream.end(['grpc-status', '0']);
  });
  const stream = openCall(await connectPeer(t, port), { expect: '100-continue' });
  const told: string[] = [];
  stream.on('headers', (headers) => told.push(String(headers[':status'])));
  stream.on('response', () => told.push('response'));
  const seen = answerOf(stream);
  stream.end();
  assert.equal((await seen).code, 0);
  assert.deepEqual(told, ['100', 'response']);
  assert.deepEqual(bugs, []);
});

test('of several answers to one request the first counts', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.respond([':status', '500']);
    stream.respondOnly([':status', '500']);
    stream.write(Buffer.from('first'));
    stream.end(['grpc-status', '0']);
    assert.equal(stream.write(Buffer.from('late')), false);
    stream.end(['grpc-status', '13']);
  });
  const answer = await call(await connectPeer(t, port));
  assert.deepEqual(answer.head.slice(0, 2), [':status', '200']);
  assert.equal(answer.body.toString(), 'first');
  assert.deepEqual(answer.trailers, ['grpc-status', '0']);
});

test('header values of latin1 pass byte for byte in both directions', async (t) => {
  const value = String.fromCharCode(0x21, ...Array.from({ length: 0x80 }, (_, at) => 0x80 + at), 0x7e);
  const { port } = await startServer(t, (stream) => {
    stream.respond([...OK, 'x-back', stream.field('x-there') ?? '']);
    stream.end(['x-trailing', value]);
  });
  const answer = await call(await connectPeer(t, port), '', { 'x-there': value });
  assert.equal(answer.head[answer.head.indexOf('x-back') + 1], value);
  assert.deepEqual(answer.trailers, ['x-trailing', value]);
});

test('constant fields are sent as they were given, again and again', async (t) => {
  const constant = constantFields([':status', '203', 'x-long', 'v'.repeat(5000), 'x-empty', '']);
  const { port } = await startServer(t, (stream) => {
    if (stream.field('x-only') === 'yes') return stream.respondOnly(constant);
    stream.respond(constant);
    return stream.end();
  });
  const peer = await connectPeer(t, port);
  for (const only of ['yes', 'no', 'yes']) {
    const { head } = await call(peer, '', { 'x-only': only });
    assert.deepEqual(head.slice(0, 6), [':status', '203', 'x-long', 'v'.repeat(5000), 'x-empty', '']);
  }
});

test('T-028a what a slow reader has not taken is held and told, and arrives whole', async (t) => {
  const answer = randomBytes(5 * MIB);
  let served: ServerStream | undefined;
  const { port, connections } = await startServer(t, (stream) => {
    served = stream;
    stream.respond(OK);
    assert.equal(stream.write(answer), false);
    stream.end(['grpc-status', '0']);
  });
  const stream = openCall(await connectPeer(t, port));
  const chunks: Buffer[] = [];
  stream.end();
  await new Promise((resolve) => stream.once('response', resolve));
  // The reader's windows are 64 KiB as long as it does not read.
  await until(() => (served?.unsentBytes ?? 0) <= 5 * MIB - 65_535, 'the first window');
  const held = served?.unsentBytes ?? 0;
  assert.ok(held > 4.5 * MIB, `${held} bytes held`);
  assert.equal(connections[0]?.unsentBytes, held);
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  assert.ok(Buffer.concat(chunks).equals(answer));
  assert.deepEqual([served?.unsentBytes, connections[0]?.unsentBytes], [0, 0]);
});

test('T-028a a writer is told when what it wrote has gone', async (t) => {
  const order: string[] = [];
  const writeOn = (stream: ServerStream, [part, ...more]: readonly string[]): void => {
    if (part === undefined) return stream.end();
    order.push(`write ${part}`);
    assert.equal(stream.write(Buffer.alloc(256 * 1024, part)), false);
    return stream.whenRoomier(() => {
      order.push(`gone ${stream.unsentBytes}`);
      writeOn(stream, more);
    });
  };
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    writeOn(stream, ['a', 'b', 'c']);
  });
  const { body } = await call(await connectPeer(t, port));
  assert.equal(body.length, 3 * 256 * 1024);
  assert.deepEqual(order, ['write a', 'gone 0', 'write b', 'gone 0', 'write c', 'gone 0']);
});

test('a small answer leaves room for more', async (t) => {
  const room: boolean[] = [];
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    room.push(stream.write(Buffer.alloc(10)), stream.write(Buffer.alloc(64 * 1024)));
    stream.end();
  });
  await call(await connectPeer(t, port));
  assert.deepEqual(room, [true, false]);
});

test('a request of 3 MiB in pieces arrives whole', async (t) => {
  const body = randomBytes(3 * MIB);
  const witness = new Witness();
  const { port } = await startServer(t, (stream) => {
    stream.read(witness);
    served = stream;
  });
  let served: ServerStream | undefined;
  const stream = openCall(await connectPeer(t, port));
  const seen = answerOf(stream);
  for (let at = 0, size = 1; at < body.length; at += size, size = 1 + ((size * 7919) % 70_000)) {
    if (!stream.write(body.subarray(at, at + size)))
      await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
  await until(() => witness.told.includes('end'), 'the end of the request');
  served?.respondOnly([':status', '204']);
  assert.equal((await seen).code, 0);
  assert.ok(witness.body.equals(body));
  assert.equal(await witness.whenClosed(), 0);
  assert.deepEqual(witness.told, ['data', 'end', 'closed 0']);
});

test('a reset without an error lets the answer go out first, however slow its reader', async (t) => {
  const witness = new Witness();
  const { port } = await startServer(t, (stream) => {
    stream.read(witness);
    stream.respond(OK);
    stream.write(Buffer.alloc(256 * 1024));
    stream.end(['grpc-status', '0']);
    stream.reset(Http2Code.NO_ERROR);
  });
  const peer = new FramePeer(await connectTls(t, port));
  // Its own side stays open: only the reset ends the call.
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  await until(() => peer.of(FrameType.DATA, 1).length > 0, 'the beginning of the answer');
  await peer.roundTrip();
  assert.deepEqual([peer.resetOf(1), witness.told], [undefined, []]);
  peer.send(windowFrame(0, MIB), windowFrame(1, MIB));
  await until(() => peer.resetOf(1) !== undefined, 'the reset');
  const types = peer.frames.filter(({ stream }) => stream === 1).map(({ type }) => type);
  assert.deepEqual(types.slice(-3), [FrameType.DATA, FrameType.HEADERS, FrameType.RST_STREAM]);
  const body = peer.of(FrameType.DATA, 1).reduce((sum, { payload }) => sum + payload.length, 0);
  assert.deepEqual([body, peer.resetOf(1), witness.told], [256 * 1024, 0, ['closed 0']]);
});

test('a reset with an error ends an answer that has not gone out', async (t) => {
  const { port } = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.write(Buffer.alloc(256 * 1024));
    stream.end();
    stream.reset(Http2Code.NO_ERROR);
    stream.reset(Http2Code.CANCEL);
    assert.equal(stream.isClosed, true);
  });
  const { code } = await call(await connectPeer(t, port));
  assert.equal(code, Http2Code.CANCEL);
});

test('a reader that comes after the end is told of it at once, and of nothing else', async (t) => {
  const witness = new Witness();
  const { port } = await startServer(t, (stream) => {
    stream.reset(Http2Code.CANCEL);
    stream.read(witness);
  });
  await call(await connectPeer(t, port), 'question');
  assert.deepEqual(witness.told, ['closed 8']);
});
