import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrainableConnection, drainConnection } from './drain-connection.ts';

/** A connection that only writes down what is asked of it. */
function record(): { readonly connection: DrainableConnection; readonly asked: string[]; answer(): void } {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const connection = {
    close: () => void asked.push('close'),
    notice: () => void asked.push('notice'),
    ping: (answered: () => void) => {
      asked.push('ping');
      answers.push(answered);
    },
    isClosing: false,
  };
  return { connection, asked, answer: () => answers.shift()?.() };
}

test('F-14 a drain announces itself, and refuses calls only when its announcement has been heard', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { connection, asked, answer } = record();
  drainConnection(connection);
  assert.deepEqual(asked, ['notice', 'ping']);
  t.mock.timers.tick(500);
  answer();
  t.mock.timers.tick(99);
  assert.deepEqual(asked, ['notice', 'ping']);
  t.mock.timers.tick(1);
  assert.deepEqual(asked, ['notice', 'ping', 'close']);
  t.mock.timers.tick(10_000);
  assert.deepEqual(asked, ['notice', 'ping', 'close']);
});

test('F-14 a client that does not answer is not waited for', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { connection, asked } = record();
  drainConnection(connection);
  t.mock.timers.tick(999);
  assert.deepEqual(asked, ['notice', 'ping']);
  t.mock.timers.tick(1);
  assert.deepEqual(asked, ['notice', 'ping', 'close']);
});

test('a connection that is closing already is left alone, and one of HTTP/1 is closed at once', () => {
  const { connection, asked } = record();
  drainConnection({ ...connection, isClosing: true });
  assert.deepEqual(asked, []);
  drainConnection({ close: connection.close });
  assert.deepEqual(asked, ['close']);
});
