import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import {
  dataFrame,
  FrameFlag,
  FrameType,
  headerFrames,
  PREFACE,
  parseFrames,
  rawFrame,
  SETTINGS_ACK,
  settingsFrame,
} from './frames-fixture.test.ts';
import { converse, loadNghttp2, NATIVE_LIMITS, NativeWitness, takeAll } from './native-fixture.test.ts';

const { NativeConnection, memoryBytes } = await loadNghttp2();
const REQUEST = [':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', '/it'];
const PONG = rawFrame(FrameType.PING, FrameFlag.ACK, 0, Buffer.alloc(8));
const HELLO = Buffer.concat([PREFACE, settingsFrame(), SETTINGS_ACK]);

function openServer(limits: Partial<typeof NATIVE_LIMITS> = {}) {
  const witness = new NativeWitness();
  const connection = new NativeConnection('server', { ...NATIVE_LIMITS, ...limits }, witness);
  witness.bodyEnds = (stream) => connection.trailers(stream, ['grpc-status', '0']);
  return { connection, witness };
}

function openClient() {
  const witness = new NativeWitness();
  return { connection: new NativeConnection('client', NATIVE_LIMITS, witness), witness };
}

/** One call, whole, and another that is left in the middle. */
function talk(): void {
  const [server, client] = [openServer(), openClient()];
  const stream = client.connection.request(REQUEST);
  client.witness.bodies.set(stream, Buffer.alloc(100_000, 'q'));
  converse(client.connection, server.connection);
  server.witness.bodies.set(stream, Buffer.alloc(100_000, 'a'));
  server.connection.respond(stream, [':status', '200'], true);
  client.connection.request(REQUEST);
  converse(client.connection, server.connection);
  assert.equal(client.witness.of('data').length, 1);
  // A header block that is never finished.
  server.connection.receive(rawFrame(FrameType.HEADERS, 0, 5, headerFrames(5, REQUEST).subarray(9)));
  server.connection.receive(rawFrame(FrameType.CONTINUATION, 0, 5, Buffer.from([0, 1, 0x78, 1])));
  for (const { connection, witness } of [server, client]) {
    assert.deepEqual(witness.faults, []);
    connection.release();
  }
}

test('F-20 two thousand connections after one another need the memory of a few', () => {
  for (let round = 0; round < 100; round += 1) talk();
  const before = memoryBytes();
  for (let round = 0; round < 2000; round += 1) talk();
  assert.equal(memoryBytes(), before);
});

test('F-20 connections that break off at any byte give their memory back', () => {
  const head = headerFrames(1, [...REQUEST, 'x', 'v'.repeat(20_000)], false);
  const bytes = Buffer.concat([HELLO, head, dataFrame(1, Buffer.alloc(100))]);
  const breakOff = (at: number): void => {
    const { connection } = openServer();
    connection.receive(bytes.subarray(0, at));
    takeAll(connection);
    connection.release();
  };
  const step = Math.ceil(bytes.length / 1000);
  for (let at = 0; at < bytes.length; at += step) breakOff(at);
  const before = memoryBytes();
  for (let at = 0; at < bytes.length; at += step) breakOff(at);
  assert.equal(memoryBytes(), before);
});

test('bytes that come one by one tell the same as all at once', () => {
  const bytes = Buffer.concat([
    HELLO,
    headerFrames(1, REQUEST, false),
    dataFrame(1, Buffer.from('some'), false),
    rawFrame(FrameType.DATA, FrameFlag.PADDED, 1, Buffer.from('\x03more\0\0\0')),
    headerFrames(1, ['x', 'trailer']),
  ]);
  const [whole, split] = [openServer(), openServer()];
  assert.equal(whole.connection.receive(bytes), 0);
  for (const byte of bytes) assert.equal(split.connection.receive(Buffer.of(byte)), 0);
  assert.deepEqual(whole.witness.told, [
    ['headers', 1, REQUEST],
    ['data', 1, Buffer.from('somemore')],
    ['headers', 1, ['x', 'trailer']],
    ['end', 1],
  ]);
  assert.deepEqual(split.witness.told, whole.witness.told);
});

test('T-028a padding costs the client no window, even of a body that nobody reads', () => {
  const { connection, witness } = openServer({ streamWindow: 1000, connectionWindow: 65_535 });
  witness.consumes = () => 0;
  connection.receive(Buffer.concat([HELLO, headerFrames(1, REQUEST, false)]));
  takeAll(connection);
  const padded = rawFrame(FrameType.DATA, FrameFlag.PADDED, 1, Buffer.from([200, 1, ...Buffer.alloc(200)]));
  for (let sent = 0; sent < 100; sent += 1) {
    assert.equal(connection.receive(padded), 0);
    takeAll(connection);
  }
  assert.deepEqual(witness.of('data'), [['data', 1, Buffer.alloc(100, 1)]]);
  assert.deepEqual([witness.of('closed'), witness.of('goawaySent')], [[], []]);
});

test('T-028a who sends more than the window of its stream is cut off', () => {
  const { connection, witness } = openServer({ streamWindow: 1000 });
  witness.consumes = () => 0;
  connection.receive(Buffer.concat([HELLO, headerFrames(1, REQUEST, false)]));
  takeAll(connection);
  connection.receive(dataFrame(1, Buffer.alloc(1000), false));
  assert.equal(takeAll(connection).length, 0);
  connection.receive(dataFrame(1, Buffer.alloc(1), false));
  takeAll(connection);
  assert.equal(witness.of('data')[0]?.[2].length, 1000);
  const FLOW_CONTROL_ERROR = 3;
  const ends = [
    ...witness.of('closed').map(([, , code]) => code),
    ...witness.of('goawaySent').map(([, code]) => code),
  ];
  assert.deepEqual([...new Set(ends)], [FLOW_CONTROL_ERROR]);
});

test('a request that is refused for its size is reset once', () => {
  const { connection } = openServer({ headerFieldsMax: 4 });
  connection.receive(Buffer.concat([HELLO, headerFrames(1, [...REQUEST, 'one', 'more'])]));
  const resets = parseFrames(takeAll(connection)).frames.filter(({ type }) => type === FrameType.RST_STREAM);
  assert.deepEqual(
    resets.map(({ payload }) => payload.readUInt32BE(0)),
    [Http2Code.ENHANCE_YOUR_CALM],
  );
});

test('T-008 what throws in an event is told of, and the connection can still be ended', () => {
  const names = [
    'headers',
    'data',
    'end',
    'finished',
    'closed',
    'goaway',
    'useless',
    'pong',
    'body',
  ] as const;
  for (const name of names) {
    const { connection, witness } = openServer();
    const planted = new Error(name);
    witness[name] = () => {
      throw planted;
    };
    witness.bodies.set(1, Buffer.from('answer'));
    connection.receive(Buffer.concat([HELLO, headerFrames(1, REQUEST, false)]));
    connection.receive(Buffer.concat([dataFrame(1, Buffer.alloc(0), false), PONG]));
    connection.receive(dataFrame(1, Buffer.from('body')));
    connection.respond(1, [':status', '200'], true);
    takeAll(connection);
    connection.reset(1, Http2Code.CANCEL);
    takeAll(connection);
    connection.receive(rawFrame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8)));
    assert.ok(witness.faults.includes(planted), `${name} was not told`);
    connection.terminate(Http2Code.INTERNAL_ERROR);
    assert.ok(takeAll(connection).length > 0);
    assert.equal(connection.isOpen, false);
    connection.release();
  }
});
