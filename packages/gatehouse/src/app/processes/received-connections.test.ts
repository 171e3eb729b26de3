import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { TcpConnection } from '#base/wire/tcp-door';
import type { FromProcess } from './messages.ts';
import { receiveConnections } from './received-connections.ts';

type News = Extract<FromProcess, { kind: 'connections' }>;
const ADDRESS = { host: '127.0.0.1', port: 7233 };

function connectionOf(): TcpConnection & { destroyed: boolean } {
  const connection = Object.assign(new EventEmitter(), {
    destroyed: false,
    setNoDelay: () => undefined,
    destroy(): void {
      connection.destroyed = true;
      connection.emit('close');
    },
  });
  return connection as unknown as TcpConnection & { destroyed: boolean };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what happens to connections in one turn is told once, each step of each exactly once', async () => {
  const news: News[] = [];
  const received = receiveConnections((each) => news.push(each));
  const accepted: (() => void)[] = [];
  received.incoming('grpc', ADDRESS).receive((_connection, over) => void accepted.push(over));
  const [first, second] = [connectionOf(), connectionOf()];
  received.take(7, 'grpc', first);
  received.take(8, 'grpc', second);
  await turn();
  assert.deepEqual(news, [{ kind: 'connections', taken: [7, 8], settled: [], closed: [] }]);
  accepted[0]?.();
  accepted[0]?.();
  first.destroy();
  second.destroy();
  await turn();
  assert.deepEqual(news[1], { kind: 'connections', taken: [], settled: [7, 8], closed: [7, 8] });
  await turn();
  assert.equal(news.length, 2);
});

test('a connection that closed on its way, or has no door here, is told to be over', async () => {
  const news: News[] = [];
  const received = receiveConnections((each) => news.push(each));
  received.incoming('grpc', ADDRESS).receive(() => assert.fail('nothing came'));
  received.take(1, 'grpc', undefined);
  const stray = connectionOf();
  received.take(2, 'https', stray);
  assert.equal(stray.destroyed, true);
  await turn();
  assert.deepEqual(news, [{ kind: 'connections', taken: [1, 2], settled: [1, 2], closed: [1, 2] }]);
});

test('F-14 a drain waits for handshakes that are under way, and no longer than it may', async () => {
  const received = receiveConnections(() => undefined);
  let over: () => void = () => undefined;
  received.incoming('grpc', ADDRESS).receive((_connection, settled) => {
    over = settled;
  });
  received.take(1, 'grpc', connectionOf());
  let isSettled = false;
  const waiting = received.whenSettled(60_000).then(() => {
    isSettled = true;
  });
  await turn();
  assert.equal(isSettled, false);
  over();
  await waiting;
  received.take(2, 'grpc', connectionOf());
  await received.whenSettled(0);
});
