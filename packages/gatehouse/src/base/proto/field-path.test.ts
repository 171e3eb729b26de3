import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { encode } from '#testing/grpc-client';
import { messageArbitrary } from '#testing/proto/message-arbitrary';
import { parseWireTree, varintBytes, type WireNode } from '#testing/proto/wire-tree';
import { methodMessages } from '#testing/proto/workflow-messages';
import { messageType } from './api-registry.ts';
import { fieldPath, fieldPathText } from './field-path.ts';
import { MessageScanner } from './scan-message.ts';
import { methodTables, requestTables } from './wire-tables.ts';

const requests = methodMessages().filter(({ direction }) => direction === 'request');

/** The ways to every string, bytes and message of a decoded message, in the order of writing. */
function* walk(message: ReflectMessage, way: readonly string[] = []): Generator<string> {
  if (message.desc.typeName === AnySchema.typeName) return yield* walkAny(message, way);
  for (const field of message.sortedFields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === 'list') {
      for (const [index, item] of [...message.get(field)].entries()) {
        yield* walkValue(item, [...way, `${field.name}[${index}]`]);
      }
    } else if (field.fieldKind === 'map') {
      for (const [key, value] of message.get(field)) {
        const plain = /^[ -~]*$/.test(String(key)) && !/["\\]/.test(String(key)) && String(key).length <= 64;
        const step = [...way, `${field.name}[${plain ? `"${key}"` : '…'}]`];
        // The entry and its key are told by the same words.
        yield* [step.join('.'), step.join('.')];
        yield* walkValue(value, step);
      }
    } else yield* walkValue(message.get(field), [...way, field.name]);
  }
  return undefined;
}

function* walkValue(value: unknown, way: readonly string[]): Generator<string> {
  if (typeof value === 'string' || value instanceof Uint8Array) yield way.join('.');
  else if (typeof value === 'object' && value !== null && 'desc' in value) {
    yield way.join('.');
    yield* walk(value as ReflectMessage, way);
  }
}

function* walkAny(message: ReflectMessage, way: readonly string[]): Generator<string> {
  const any = message.message as Any;
  if (any.typeUrl !== '') yield [...way, 'type_url'].join('.');
  if (any.value.length === 0) return;
  yield [...way, 'value'].join('.');
  const inside = messageType(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  const type = inside.typeName.replace('temporal.api.', '');
  yield* walk(reflect(inside, fromBinary(inside, any.value)), [
    ...way.slice(0, -1),
    `${way.at(-1)}[${type}]`,
  ]);
}

/** Where the content of every length-delimited field begins, but those of packed numbers. */
function* starts(nodes: readonly WireNode[], from = 0): Generator<{ start: number; node: WireNode }> {
  let pos = from;
  for (const node of nodes) {
    pos += varintBytes(node.number * 8 + node.wireType).length;
    const length = lengthOf(node);
    if (node.wireType === 2) {
      pos += varintBytes(length).length;
      yield { start: pos, node };
      if (!(node.content instanceof Uint8Array)) yield* starts(node.content, pos);
    }
    pos += length;
  }
}

function lengthOf({ content }: WireNode): number {
  if (content instanceof Uint8Array) return content.length;
  return content.reduce((sum, node) => {
    const inner = lengthOf(node);
    const head = varintBytes(node.number * 8 + node.wireType).length;
    return sum + head + (node.wireType === 2 ? varintBytes(inner).length : 0) + inner;
  }, 0);
}

function pathAt(desc: DescMessage, bytes: Uint8Array, at: number, end = bytes.length): string | undefined {
  const steps = fieldPath(desc.typeName, bytes, [0, end], at);
  return steps && fieldPathText(steps);
}

test('the path of every text, bytes and message of every request is the one that a full walk takes', () => {
  let fields = 0;
  for (const { desc } of requests) {
    const property = fc.property(messageArbitrary(desc), ({ message }) => {
      const bytes = toBinary(desc, message);
      const expected = [...walk(reflect(desc, fromBinary(desc, bytes)))];
      const found = [...starts(parseWireTree({ kind: 'message', desc }, bytes))].map(({ start }) =>
        pathAt(desc, bytes, start),
      );
      fields += expected.length;
      assert.deepEqual(
        found.filter((path) => path !== undefined && !isPacked(path)),
        expected,
      );
    });
    fc.assert(property, { numRuns: 60 });
  }
  assert.ok(fields > 10_000, `${fields} fields`);
});

/** Repeated numbers lie in one length-delimited field, which has no text of its own. */
const packed = new Set(requests.flatMap(({ desc }) => [...packedNames(desc, new Set())]));

function* packedNames(desc: DescMessage, seen: Set<DescMessage>): Generator<string> {
  if (seen.has(desc)) return;
  seen.add(desc);
  for (const field of desc.fields) {
    if (field.fieldKind === 'list' && field.packed) yield `${field.name}[0]`;
    if (field.message !== undefined) yield* packedNames(field.message, seen);
  }
}

function isPacked(path: string): boolean {
  return packed.has(path.slice(path.lastIndexOf('.') + 1));
}

test('every mention of a scan has a path, also inside a larger buffer', () => {
  const scanner = new MessageScanner(requestTables, { reply: false });
  const start = methodTables.get(
    '/temporal.api.workflowservice.v1.WorkflowService/RespondWorkflowTaskCompleted',
  );
  assert.ok(start !== undefined);
  const desc = messageType(start.request.name);
  fc.assert(
    fc.property(messageArbitrary(desc), fc.nat(20), ({ message }, before) => {
      const bytes = Buffer.concat([
        Buffer.alloc(before, 0xff),
        toBinary(desc, message),
        Buffer.alloc(3, 0xff),
      ]);
      const range = [before, bytes.length - 3] as const;
      assert.ok(scanner.scan(start.request, bytes, ...range));
      for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
        // A number has no content of its own.
        if (scanner.lengthStart(mention) === scanner.contentStart(mention)) continue;
        const steps = fieldPath(desc.typeName, bytes, range, scanner.contentStart(mention));
        assert.ok(steps !== undefined);
        assert.ok((steps.at(-1)?.end ?? 0) >= scanner.contentEnd(mention));
      }
    }),
    { numRuns: 100 },
  );
});

test('a path names indexes and keys, and goes through Any', () => {
  const payload = { data: Buffer.from('deep') };
  const request = encode('workflowservice.v1.RespondWorkflowTaskCompletedRequest', {
    namespace: 'orders.acme1',
    commands: [
      {},
      {
        attributes: {
          case: 'recordMarkerCommandAttributes',
          value: { markerName: 'm', details: { data: { payloads: [{}, payload] } } },
        },
      },
    ],
  });
  const at = Buffer.from(request).indexOf('deep');
  const desc = messageType('temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest');
  assert.equal(
    pathAt(desc, request, at),
    'commands[1].record_marker_command_attributes.details["data"].payloads[1].data',
  );
  // The payload begins two bytes before: with the tag and the length of `data`.
  assert.equal(
    pathAt(desc, request, at - 2),
    'commands[1].record_marker_command_attributes.details["data"].payloads[1]',
  );
  const rejection = toBinary(
    messageType('temporal.api.update.v1.Rejection'),
    fromBinary(
      messageType('temporal.api.update.v1.Rejection'),
      encode('update.v1.Rejection', { failure: { cause: { message: 'deep' } } }),
    ),
  );
  const update = encode('workflowservice.v1.RespondWorkflowTaskCompletedRequest', {
    messages: [
      { body: { typeUrl: 'type.googleapis.com/temporal.api.update.v1.Rejection', value: rejection } },
    ],
  });
  assert.equal(
    pathAt(desc, update, Buffer.from(update).indexOf('deep')),
    'messages[0].body[update.v1.Rejection].failure.cause.message',
  );
});

test('a key that is long, or holds what a terminal or a quote could misread, is left out of the text', () => {
  const desc = messageType('temporal.api.workflowservice.v1.StartWorkflowExecutionRequest');
  const pathOfKey = (key: string): string | undefined => {
    const bytes = encode('workflowservice.v1.StartWorkflowExecutionRequest', {
      memo: { fields: { [key]: { data: Buffer.from('deep') } } },
    });
    return pathAt(desc, bytes, Buffer.from(bytes).indexOf('deep'));
  };
  assert.equal(pathOfKey('a key'), 'memo.fields["a key"].data');
  assert.equal(pathOfKey(''), 'memo.fields[""].data');
  for (const key of ['x'.repeat(65), 'a"b', 'a\\b', 'a\nb', '\u001b[31m', 'é']) {
    assert.equal(pathOfKey(key), 'memo.fields[…].data');
  }
});

test('a position where no field begins has no path, whatever the bytes', () => {
  const anything = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(...requests), anything, fc.nat(80), ({ desc }, bytes, at) => {
      const steps = fieldPath(desc.typeName, bytes, [0, bytes.length], at);
      assert.ok(steps === undefined || steps.length > 0);
    }),
    { numRuns: 2000 },
  );
});
