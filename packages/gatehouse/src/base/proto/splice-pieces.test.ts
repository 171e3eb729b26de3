import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from '#testing/grpc-client';
import { frameBytes, wholeFrame } from './frame.ts';
import { Role } from './role.ts';
import { MessageScanner } from './scan-message.ts';
import {
  type Edit,
  insertField,
  type LateValue,
  replaceMention,
  spliceFrame,
  splicePieces,
} from './splice-message.ts';
import { methodTables, requestTables } from './wire-tables.ts';

const scanner = new MessageScanner(requestTables, { reply: false });
const method = methodTables.get('/temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution');

function scan(payloads: readonly Uint8Array[]): readonly number[] {
  assert.ok(method !== undefined);
  const message = encode('workflowservice.v1.SignalWorkflowExecutionRequest', {
    namespace: 'orders.acme1',
    signalName: 'approve',
    input: { payloads: payloads.map((data) => ({ data })) },
  });
  assert.ok(scanner.scan(method.request, message));
  return Array.from({ length: scanner.mentionCount }, (_, index) => index).filter(
    (mention) => scanner.role(mention) === Role.payload,
  );
}

/** In as many pieces as it is given. */
function late(pieces: readonly Buffer[]): LateValue {
  const bytes = Buffer.concat(pieces);
  return {
    length: bytes.length,
    pieces: () => pieces,
    write(target, position) {
      target.set(bytes, position);
      return position + bytes.length;
    },
  };
}

const size = fc.oneof(
  fc.nat(40),
  fc.integer({ min: 16_380, max: 16_390 }),
  fc.integer({ min: 60_000, max: 140_000 }),
);
const bytes = fc.tuple(size, fc.nat(255)).map(([length, value]) => Buffer.alloc(length, value));

test('a frame in pieces is byte for byte the frame in one, whatever is large in it', () => {
  const values = fc.array(fc.oneof(bytes, fc.array(bytes, { maxLength: 4 }).map(late)), { maxLength: 4 });
  const property = fc.property(fc.array(bytes, { maxLength: 4 }), values, (payloads, replacements) => {
    const edits: Edit[] = scan(payloads).flatMap((mention, index) => {
      const value = replacements[index];
      return value === undefined ? [] : [replaceMention(scanner, mention, value)];
    });
    edits.push(insertField(scanner, [0x0a], Buffer.from('first')));
    const pieces = splicePieces(scanner, edits);
    assert.ok(wholeFrame(pieces).equals(spliceFrame(scanner, edits)));
    assert.equal(frameBytes(pieces), wholeFrame(pieces).length);
  });
  fc.assert(property, { numRuns: 150 });
});

test('a large value goes into the frame without being copied, and so does what was large already', () => {
  const kept = Buffer.alloc(100_000, 1);
  const [first] = scan([Buffer.from('small'), kept]);
  assert.ok(first !== undefined);
  const value = Buffer.alloc(100_000, 2);
  const pieces = splicePieces(scanner, [replaceMention(scanner, first, late([value]))]);
  assert.ok(!Buffer.isBuffer(pieces));
  assert.ok(pieces.some((piece) => piece.buffer === value.buffer));
  assert.ok(pieces.some((piece) => piece.buffer === scanner.bytes.buffer));
});

test('a small frame is whole', () => {
  const [only] = scan([Buffer.from('small')]);
  assert.ok(only !== undefined);
  assert.ok(Buffer.isBuffer(splicePieces(scanner, [replaceMention(scanner, only, Buffer.from('other'))])));
});
