import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import {
  dataFrame,
  FrameFlag,
  FramePeer,
  FrameType,
  headerBlock,
  headerFrames,
  PREFACE,
  rawFrame,
  resetFrame,
  settingsFrame,
  windowFrame,
} from './frames-fixture.test.ts';
import { connectTls, requestFields, startServer, type TestServer, Witness } from './http2-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { until } from './waiting-fixture.test.ts';

const OK = [':status', '200'];
/** Of `requestFields()`. */
const PSEUDO_FIELDS = 4;
const FIELD_OVERHEAD = 32;
const sizeOf = (fields: readonly string[]): number =>
  fields.reduce((sum, { length }) => sum + length, (fields.length / 2) * FIELD_OVERHEAD);

interface Served {
  readonly server: TestServer;
  readonly peer: FramePeer;
  readonly streams: ServerStream[];
}

/** A server that answers everything, and a client that has said hello. */
async function serve(t: TestContext): Promise<Served> {
  const streams: ServerStream[] = [];
  const server = await startServer(t, (stream) => {
    streams.push(stream);
    stream.respondOnly(OK);
  });
  const peer = new FramePeer(await connectTls(t, server.port));
  peer.send(PREFACE, settingsFrame());
  return { server, peer, streams };
}

/** The connection still takes calls. */
async function assertUsable({ peer, server }: Served, stream: number): Promise<void> {
  peer.send(headerFrames(stream, requestFields()));
  await until(() => peer.of(FrameType.HEADERS, stream).length === 1, 'an answer to the next call');
  assert.deepEqual([server.bugs, server.connections[0]?.isClosing], [[], false]);
}

function many(count: number): string[] {
  return Array.from({ length: count }, (_, at) => [`x-${at}`, 'v']).flat();
}

test('T-026b a request of 128 header fields is served, one of 129 is refused, and its connection goes on', async (t) => {
  const served = await serve(t);
  const { peer, streams } = served;
  peer.send(headerFrames(1, requestFields(...many(128 - PSEUDO_FIELDS))));
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'an answer');
  assert.equal(streams[0]?.fields.length, 2 * 128);

  peer.send(headerFrames(3, requestFields(...many(129 - PSEUDO_FIELDS))));
  await until(() => peer.resetOf(3) !== undefined, 'the refusal');
  assert.equal(peer.resetOf(3), Http2Code.ENHANCE_YOUR_CALM);
  assert.equal(streams.length, 1);
  await assertUsable(served, 5);
});

test('T-026b a request of 64 KiB of headers is served, one of a byte more is refused, and its connection goes on', async (t) => {
  const served = await serve(t);
  const { peer, streams } = served;
  const room = 64 * 1024 - sizeOf(requestFields('x', ''));
  peer.send(headerFrames(1, requestFields('x', 'v'.repeat(room))));
  await until(() => peer.of(FrameType.HEADERS, 1).length === 1, 'an answer');
  assert.equal(streams[0]?.field('x')?.length, room);

  peer.send(headerFrames(3, requestFields('x', 'v'.repeat(room + 1))));
  await until(() => peer.resetOf(3) !== undefined, 'the refusal');
  assert.equal(peer.resetOf(3), Http2Code.ENHANCE_YOUR_CALM);
  assert.equal(streams.length, 1);
  await assertUsable(served, 5);
});

test('T-026b a single field of more than 64 KiB ends its connection', async (t) => {
  const { server, peer, streams } = await serve(t);
  peer.send(headerFrames(1, requestFields('x', 'v'.repeat(64 * 1024 + 1))));
  await until(() => peer.hasEnded, 'the end');
  const COMPRESSION_ERROR = 9;
  assert.deepEqual(peer.goaways.at(-1), [1, COMPRESSION_ERROR]);
  assert.deepEqual([streams.length, server.faults.length, server.bugs], [0, 1, []]);
});

test('T-026b fields of a refused request are still known to those that refer to them', async (t) => {
  const served = await serve(t);
  const { peer, streams } = served;
  // The first field goes into the table, the others make the request too large.
  const indexed = Buffer.concat([Buffer.of(0x40), headerBlock(['x-kept', 'value']).subarray(1)]);
  const tooMany = Buffer.concat([headerBlock(requestFields()), indexed, headerBlock(many(130))]);
  peer.send(rawFrame(FrameType.HEADERS, FrameFlag.END_HEADERS + FrameFlag.END_STREAM, 1, tooMany));
  await until(() => peer.resetOf(1) !== undefined, 'the refusal');
  const referring = Buffer.concat([headerBlock(requestFields()), Buffer.of(0x80 + 62)]);
  peer.send(rawFrame(FrameType.HEADERS, FrameFlag.END_HEADERS + FrameFlag.END_STREAM, 3, referring));
  await until(() => streams.length === 1, 'the next request');
  assert.equal(streams[0]?.field('x-kept'), 'value');
});

test('T-026b trailers that are too large end their call with one word, and the connection goes on', async (t) => {
  const witness = new Witness();
  const server = await startServer(t, (stream) => {
    if (stream.id === 1) stream.read(witness);
    else stream.respondOnly(OK);
  });
  const peer = new FramePeer(await connectTls(t, server.port));
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  peer.send(dataFrame(1, Buffer.from('some'), false), headerFrames(1, many(129)));
  assert.equal(await witness.whenClosed(), Http2Code.ENHANCE_YOUR_CALM);
  await assertUsable({ peer, server, streams: [] }, 3);
  assert.deepEqual(witness.told, ['data', `closed ${Http2Code.ENHANCE_YOUR_CALM}`]);
});

test('trailers of a request end it, and are read by nobody', async (t) => {
  const witness = new Witness();
  let calls = 0;
  const server = await startServer(t, (stream) => {
    calls += 1;
    stream.read(witness);
    stream.respondOnly(OK);
  });
  const peer = new FramePeer(await connectTls(t, server.port));
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  peer.send(dataFrame(1, Buffer.from('some'), false), headerFrames(1, ['x', 'y']));
  assert.equal(await witness.whenClosed(), Http2Code.NO_ERROR);
  assert.deepEqual([witness.told, calls], [['data', 'end', 'closed 0'], 1]);
});

test('a body in padded frames arrives without the padding', async (t) => {
  const witness = new Witness();
  const { port } = await startServer(t, (stream) => stream.read(witness));
  const peer = new FramePeer(await connectTls(t, port));
  const padded = Buffer.concat([Buffer.of(5), Buffer.from('some'), Buffer.alloc(5)]);
  const allPadding = Buffer.concat([Buffer.of(9), Buffer.alloc(9)]);
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  for (const payload of [padded, allPadding, padded])
    peer.send(rawFrame(FrameType.DATA, FrameFlag.PADDED, 1, payload));
  peer.send(dataFrame(1, Buffer.alloc(0)));
  await until(() => witness.told.includes('end'), 'the end');
  assert.equal(witness.body.toString(), 'somesome');
  assert.deepEqual(peer.goaways, []);
});

test('T-029a trailers of a call that we have reset are no call of their own', async (t) => {
  const opened: number[] = [];
  const { port } = await startServer(t, (stream) => {
    opened.push(stream.id);
    if (stream.id === 1) stream.reset(Http2Code.CANCEL);
    else if (stream.id === 3)
      stream.read({ data: () => stream.reset(Http2Code.CANCEL), end() {}, closed() {} });
    else stream.respondOnly(OK);
  });
  const peer = new FramePeer(await connectTls(t, port));
  const calls = [1, 3].map((id) =>
    Buffer.concat([
      headerFrames(id, requestFields(), false),
      dataFrame(id, Buffer.from('some'), false),
      headerFrames(id, ['x', 'trailer']),
    ]),
  );
  // All at once: the resets have not gone out when the trailers are read.
  peer.send(PREFACE, settingsFrame(), ...calls, headerFrames(5, requestFields()));
  await until(() => peer.of(FrameType.HEADERS, 5).length === 1, 'the last call');
  assert.deepEqual(opened, [1, 3, 5]);
});

test('T-028a what a reader keeps of a body holds no more memory than a few times its bytes', async (t) => {
  const [kept, other] = [new Witness(), new Witness()];
  const { port } = await startServer(t, (stream) => stream.read(stream.id === 1 ? kept : other));
  const peer = new FramePeer(await connectTls(t, port));
  peer.send(PREFACE, settingsFrame());
  for (const id of [1, 3]) peer.send(headerFrames(id, requestFields(), false));
  await until(() => peer.of(FrameType.SETTINGS, 0).length > 0, 'our settings');
  // Each record of TLS carries a little of the one and much of the other.
  for (let record = 0; record < 32; record += 1) {
    peer.send(dataFrame(1, Buffer.alloc(100), false), dataFrame(3, Buffer.alloc(16_000), false));
    await peer.roundTrip();
  }
  const behind = new Set(kept.chunks.map(({ buffer }) => buffer));
  const held = [...behind].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.equal(kept.bytes, 3200);
  assert.ok(held <= 4 * kept.bytes + 64 * 1024, `${kept.bytes} bytes hold ${held}`);
});

test('T-024 a call that its client resets amid its body is told of it once, and costs no other call', async (t) => {
  const witnesses: Witness[] = [];
  const { port } = await startServer(t, (stream) => {
    const witness = new Witness();
    witnesses.push(witness);
    stream.read(witness);
  });
  const peer = new FramePeer(await connectTls(t, port));
  peer.send(PREFACE, settingsFrame());
  for (const id of [1, 3, 5]) peer.send(headerFrames(id, requestFields(), false));
  peer.send(dataFrame(1, Buffer.from('some'), false), resetFrame(1, Http2Code.CANCEL), resetFrame(1, 0));
  // A client may go on for a while, which is nobody's fault.
  peer.send(dataFrame(1, Buffer.from('late'), false), resetFrame(3, Http2Code.NO_ERROR));
  peer.send(dataFrame(5, Buffer.from('whole')));
  await until(() => witnesses[2]?.told.includes('end') === true, 'the third call');
  assert.deepEqual(
    witnesses.map(({ told }) => told),
    [['data', `closed ${Http2Code.CANCEL}`], [`closed ${Http2Code.NO_ERROR}`], ['data', 'end']],
  );
});

test('T-006 what does not begin as HTTP/2 is hung up on', async (t) => {
  const server = await startServer(t, () => undefined);
  for (const greeting of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', '\0'.repeat(100)]) {
    const peer = new FramePeer(await connectTls(t, server.port));
    peer.send(Buffer.from(greeting));
    await until(() => peer.hasEnded, 'the end');
    assert.equal(server.faults.at(-1)?.reason, 'http2_protocol_error');
  }
  assert.deepEqual([server.faults.length, server.bugs], [3, []]);
});

test('T-027b a window of the connection past 2^31-1 ends it', async (t) => {
  const { server, peer } = await serve(t);
  peer.send(windowFrame(0, 2 ** 31 - 1));
  await until(() => peer.hasEnded, 'the end');
  const FLOW_CONTROL_ERROR = 3;
  assert.deepEqual(
    peer.goaways.map(([, code]) => code),
    [FLOW_CONTROL_ERROR],
  );
  assert.deepEqual([server.faults.length, server.bugs], [1, []]);
});

test('T-025 a body that breaks its window ends its stream, or the connection, and is not delivered further', async (t) => {
  const witness = new Witness();
  const server = await startServer(t, (stream) => {
    stream.pace();
    stream.read(witness);
  });
  const peer = new FramePeer(await connectTls(t, server.port));
  peer.send(PREFACE, settingsFrame(), headerFrames(1, requestFields(), false));
  await until(() => peer.of(FrameType.SETTINGS, 0).length > 0, 'our settings');
  for (let at = 0; at <= 64; at += 1) peer.send(dataFrame(1, Buffer.alloc(16_384), false));
  assert.notEqual(await witness.whenClosed(), Http2Code.NO_ERROR);
  assert.equal(witness.bytes, 1024 * 1024);
  assert.deepEqual(server.bugs, []);
});
