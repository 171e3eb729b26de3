import assert from 'node:assert/strict';
import { test } from 'node:test';
import { walk } from './protobuf.ts';
import { signalCall } from './requests.ts';

const caller = { serverName: 'bench.local.example', namespace: 'bench.local' };

test('a signal is about 300 bytes, the size of the reference measurements', () => {
  const { body } = signalCall(caller);
  assert.ok(body.length >= 280 && body.length <= 320, `${body.length} bytes`);
  assert.equal(body.readUInt32BE(1), body.length - 5);
});

test('a walk over a request finds every field that was written', () => {
  const { bytes } = walk(signalCall(caller).body.subarray(5));
  assert.deepEqual([...bytes.keys()], [1, 2, 3, 4, 5, 6]);
  assert.equal(bytes.get(1)?.[0]?.toString(), 'bench.local');
});

test('the namespace in the header is the one in the message', () => {
  const { headers } = signalCall(caller);
  assert.equal(headers[headers.indexOf('temporal-namespace') + 1], 'bench.local');
});
