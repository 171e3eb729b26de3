import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { frameBytes, wholeFrame } from '#base/model/frame';
import { encode } from '#testing/grpc-client';
import { Role } from './role.ts';
import { MessageScanner } from './scan-message.ts';
import { type Edit, type LateValue, replaceMention, spliceFrame, splicePieces } from './splice-message.ts';
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

/** The request once more, written by the library's own writer, in a frame. */
function frameWith(payloads: readonly Uint8Array[]): Buffer {
  const input = new BinaryWriter();
  for (const payload of payloads) input.tag(1, 2).bytes(payload);
  const message = new BinaryWriter()
    .tag(1, 2)
    .string('orders.acme1')
    .tag(3, 2)
    .string('approve')
    .tag(4, 2)
    .bytes(input.finish())
    .finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function bytesOf(value: Uint8Array | LateValue): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.concat(value.pieces());
}

test('a frame in pieces, and one in one, hold what a writer of protobuf writes, whatever is large in it', () => {
  const values = fc.array(fc.oneof(bytes, fc.array(bytes, { maxLength: 4 }).map(late)), { maxLength: 4 });
  const property = fc.property(fc.array(bytes, { maxLength: 4 }), values, (payloads, replacements) => {
    const mentions = scan(payloads);
    const edits = mentions.flatMap((mention, index): Edit[] => {
      const value = replacements[index];
      return value === undefined ? [] : [replaceMention(scanner, mention, value)];
    });
    const contents = mentions.map((mention, index) => {
      const value = replacements[index];
      return value === undefined ? scanner.content(mention) : bytesOf(value);
    });
    const expected = frameWith(contents);
    const pieces = splicePieces(scanner, edits);
    assert.ok(wholeFrame(pieces).equals(expected));
    assert.equal(frameBytes(pieces), expected.length);
    assert.ok(spliceFrame(scanner, edits).equals(expected));
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

test('a message of many small values is a few pieces, not one for each', () => {
  const mentions = scan(Array.from({ length: 2000 }, () => Buffer.alloc(1000)));
  const edits = mentions.map((mention) => replaceMention(scanner, mention, Buffer.alloc(1100, 1)));
  const pieces = splicePieces(scanner, edits);
  assert.ok(!Buffer.isBuffer(pieces));
  assert.ok(pieces.length < 50, `${pieces.length} pieces`);
});
