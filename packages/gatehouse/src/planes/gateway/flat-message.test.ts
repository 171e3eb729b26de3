import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from '#testing/grpc-client';
import { readText } from './flat-message.ts';

test('a text is read from its field, whatever stands before it', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 300 }),
      fc.string({ maxLength: 300 }),
      fc.nat(3),
      (name, normalName, kind) => {
        const queue = encode('taskqueue.v1.TaskQueue', { name, kind, normalName });
        assert.deepEqual(
          [readText(queue, 1), readText(queue, 3), readText(queue, 4)],
          [name, normalName, ''],
        );
      },
    ),
  );
});

test('bytes inside a larger buffer are read from their own place', () => {
  const bytes = encode('common.v1.WorkflowExecution', { workflowId: 'a', runId: 'b' });
  const inside = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')]).subarray(2, 2 + bytes.length);
  assert.deepEqual([readText(inside, 1), readText(inside, 2)], ['a', 'b']);
});

test('any bytes at all are answered, without a throw and without an end beyond them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 15 }), (bytes, field) => {
      assert.ok(Buffer.byteLength(readText(bytes, field)) <= bytes.length * 3);
    }),
  );
});
