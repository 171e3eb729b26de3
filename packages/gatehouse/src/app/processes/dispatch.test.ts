import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { TcpConnection } from '#base/wire/tcp-door';
import { Dispatch, type Receiver } from './dispatch.ts';

interface FakeConnection extends TcpConnection {
  readonly name: string;
}

function connectionOf(name: string): FakeConnection {
  const connection = Object.assign(new EventEmitter(), {
    name,
    destroyed: false,
    destroy(): void {
      connection.destroyed = true;
    },
    resetAndDestroy(): void {
      connection.destroyed = true;
    },
  });
  return connection as unknown as FakeConnection;
}

interface FakeProcess extends Receiver {
  responsive: boolean;
  readonly got: { readonly id: number; readonly name: string }[];
}

function processOf(): FakeProcess {
  const process: FakeProcess = {
    responsive: true,
    got: [],
    isResponsive: () => process.responsive,
    hand: (id, _door, connection) => process.got.push({ id, name: (connection as FakeConnection).name }),
  };
  return process;
}

const names = ({ got }: FakeProcess): string[] => got.map(({ name }) => name);
const said = (news: { taken?: number[]; settled?: number[]; closed?: number[] }) =>
  ({ kind: 'connections', taken: [], settled: [], closed: [], ...news }) as const;

/** Offers a connection. @returns it, and how often its handshake was said to be over. */
function offer(dispatch: Dispatch, name: string): { connection: FakeConnection; over: () => number } {
  let count = 0;
  const connection = connectionOf(name);
  dispatch.offer('grpc', connection, () => {
    count += 1;
  });
  return { connection, over: () => count };
}

test('each connection goes to the process that has the fewest, also after some have closed', () => {
  const dispatch = new Dispatch();
  const [first, second] = [processOf(), processOf()];
  dispatch.add(first);
  dispatch.add(second);
  for (const name of ['a', 'b', 'c', 'd']) offer(dispatch, name);
  assert.deepEqual(
    [names(first), names(second)],
    [
      ['a', 'c'],
      ['b', 'd'],
    ],
  );
  dispatch.hear(second, said({ closed: second.got.map(({ id }) => id) }));
  for (const name of ['e', 'f']) offer(dispatch, name);
  assert.deepEqual(names(second), ['b', 'd', 'e', 'f']);
  assert.equal(dispatch.size, 4);
});

test('short connections, one after the other, go to the processes in turn', () => {
  const dispatch = new Dispatch();
  const [first, second] = [processOf(), processOf()];
  dispatch.add(first);
  dispatch.add(second);
  for (let id = 1; id <= 4; id += 1) {
    offer(dispatch, `${id}`);
    for (const process of [first, second]) dispatch.hear(process, said({ closed: [id] }));
  }
  assert.deepEqual(
    [names(first), names(second)],
    [
      ['1', '3'],
      ['2', '4'],
    ],
  );
});

test('connections wait for the first process, in the order in which they came', () => {
  const dispatch = new Dispatch();
  offer(dispatch, 'a');
  offer(dispatch, 'b');
  const process = processOf();
  dispatch.add(process);
  assert.deepEqual(names(process), ['a', 'b']);
});

test('a connection is let go when its process has it, and never before', () => {
  const dispatch = new Dispatch();
  const process = processOf();
  dispatch.add(process);
  const { connection, over } = offer(dispatch, 'a');
  assert.equal(connection.destroyed, false);
  dispatch.hear(process, said({ taken: [1] }));
  assert.equal(connection.destroyed, true);
  assert.equal(over(), 0);
  dispatch.hear(process, said({ settled: [1] }));
  dispatch.hear(process, said({ closed: [1] }));
  assert.equal(over(), 1);
});

test('what a process that died never had goes to another, and the rest is settled', () => {
  const dispatch = new Dispatch();
  const [doomed, other] = [processOf(), processOf()];
  dispatch.add(doomed);
  const had = offer(dispatch, 'had');
  const lost = offer(dispatch, 'lost');
  dispatch.hear(doomed, said({ taken: [1] }));
  dispatch.add(other);
  dispatch.remove(doomed);
  assert.deepEqual(names(other), ['lost']);
  assert.deepEqual([had.over(), lost.over()], [1, 0]);
  dispatch.hear(doomed, said({ closed: [2] }));
  assert.equal(dispatch.size, 1, 'a dead process says nothing of what another has');
});

test('a process that is retired keeps what it has and gets no more', () => {
  const dispatch = new Dispatch();
  const [old, next] = [processOf(), processOf()];
  dispatch.add(old);
  offer(dispatch, 'a');
  dispatch.add(next);
  dispatch.retire(old);
  offer(dispatch, 'b');
  offer(dispatch, 'c');
  assert.deepEqual([names(old), names(next)], [['a'], ['b', 'c']]);
  assert.equal(dispatch.size, 3);
});

test('a process that says nothing is passed over as long as another does speak', () => {
  const dispatch = new Dispatch();
  const [silent, busy] = [processOf(), processOf()];
  dispatch.add(silent);
  dispatch.add(busy);
  silent.responsive = false;
  for (const name of ['a', 'b', 'c']) offer(dispatch, name);
  assert.deepEqual(names(busy), ['a', 'b', 'c']);
  busy.responsive = false;
  offer(dispatch, 'd');
  assert.deepEqual(names(silent), ['d']);
});

test('T-096 only so many connections wait, and what waits at the end is closed', () => {
  const dispatch = new Dispatch();
  const waiting = Array.from({ length: 1024 }, (_, index) => offer(dispatch, `${index}`));
  const more = offer(dispatch, 'more');
  assert.deepEqual([more.connection.destroyed, more.over()], [true, 1]);
  assert.ok(waiting.every(({ connection }) => !connection.destroyed));
  dispatch.close();
  assert.ok(waiting.every(({ connection, over }) => connection.destroyed && over() === 1));
});
