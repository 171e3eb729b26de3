import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { loadNghttp2 } from './native-fixture.test.ts';
import { settle, until } from './waiting-fixture.test.ts';

const { memoryBytes } = await loadNghttp2();
const { connectPeer, openClient, requestFields, startPeerServer, startServer, Witness } = await import(
  './http2-fixture.test.ts'
);
const { openCall } = await import('./peer-fixture.test.ts');

const ROUNDS = 150;
const OK = [':status', '200'];

/** Ends of a connection, each time in the middle of a call. */
const ways = ['the client ends it', 'we end it', 'its socket is lost', 'it is closed in peace'] as const;

test('F-20 connections of clients that end in every way leave nothing behind', async (t) => {
  const server = await startServer(t, (stream) => {
    stream.respond(OK);
    stream.write(Buffer.alloc(100_000));
  });
  const round = async (at: number): Promise<void> => {
    const way = ways[at % ways.length];
    const peer = await connectPeer(t, server.port);
    const call = openCall(peer);
    call.write(Buffer.alloc(10_000));
    call.resume();
    await once(call, 'response');
    const connection = server.connections.at(-1);
    let gone = false;
    connection?.onClose(() => {
      gone = true;
    });
    if (way === 'the client ends it') peer.destroy();
    else if (way === 'we end it') connection?.destroy();
    else if (way === 'its socket is lost') server.sockets.at(-1)?.destroy();
    else {
      connection?.close();
      call.close();
    }
    await until(() => gone, way);
    peer.destroy();
    assert.deepEqual([connection?.openStreamCount, connection?.unsentBytes], [0, 0]);
  };
  for (let at = 0; at < 2 * ways.length; at += 1) await round(at);
  const before = memoryBytes();
  for (let at = 0; at < ROUNDS; at += 1) await round(at);
  assert.equal(memoryBytes(), before);
  assert.deepEqual(server.bugs, []);
});

test('F-20 connections to the engine that end in every way leave nothing behind', async (t) => {
  const { port, sessions } = await startPeerServer(t, (stream) => stream.respond({ ':status': 200 }));
  const round = async (at: number): Promise<void> => {
    const way = ways[at % ways.length];
    const { connection, socket } = await openClient(t, port);
    const witness = new Witness();
    const sent = connection.request(requestFields(), Buffer.alloc(200_000), witness);
    await until(() => witness.told.length === 1, 'the answer');
    let gone = false;
    connection.onClose(() => {
      gone = true;
    });
    if (way === 'the client ends it') connection.destroy();
    else if (way === 'we end it') sessions.at(-1)?.destroy();
    else if (way === 'its socket is lost') socket.destroy();
    else {
      connection.close();
      sent?.reset(8);
    }
    await until(() => gone, way);
    await settle();
    assert.deepEqual([witness.told.at(-1), connection.unsentBytes], ['closed 8', 0]);
  };
  for (let at = 0; at < 2 * ways.length; at += 1) await round(at);
  const before = memoryBytes();
  for (let at = 0; at < ROUNDS; at += 1) await round(at);
  assert.equal(memoryBytes(), before);
});
