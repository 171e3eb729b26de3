import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equals, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { messageArbitrary } from '#testing/proto/message-arbitrary';
import { walkMentions } from '#testing/proto/walk-mentions';
import { type ScannedType, scannedTypes } from '#testing/proto/workflow-messages';
import { Role } from './role.ts';
import { MessageScanner } from './scan-message.ts';
import {
  cutMention,
  type Edit,
  GRPC_PREFIX_BYTES,
  insertField,
  replaceMention,
  spliceFrame,
  varintBytes,
  writeVarint,
} from './splice-message.ts';
import { methodTables, requestTables, responseTables, roleOfCode } from './wire-tables.ts';

const scannerOf = {
  request: new MessageScanner(requestTables, { reply: false }),
  response: new MessageScanner(responseTables, { reply: true }),
};
const every = scannedTypes();

/** What to do with each mention in turn; applied round and round. */
type Plan = readonly ('keep' | 'cut' | { readonly replaceWith: string })[];

const plans: fc.Arbitrary<Plan> = fc.array(
  fc.oneof(
    fc.constant('keep' as const),
    fc.constant('cut' as const),
    // Up to two bytes of length, and never empty: a writer leaves an empty text out.
    fc
      .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 120, maxLength: 300 }))
      .map((replaceWith) => ({ replaceWith })),
  ),
  { minLength: 1, maxLength: 8 },
);

const frameBody = (frame: Buffer): Buffer => {
  assert.equal(frame[0], 0);
  assert.equal(frame.readUInt32BE(1), frame.length - GRPC_PREFIX_BYTES);
  return frame.subarray(GRPC_PREFIX_BYTES);
};

/** The same edits twice: by splicing the bytes, and on the decoded message, which is then encoded anew. */
function editBothWays(
  at: ScannedType,
  bytes: Uint8Array,
  plan: Plan,
): { spliced: Buffer; encoded: Uint8Array } {
  const scanner = scannerOf[at.direction];
  assert.ok(scanner.scan(at.table, bytes));
  const decoded = fromBinary(at.desc, bytes);
  const walk = walkMentions(at.direction, at.desc, decoded);
  const edits: Edit[] = [];
  const onMessage: (() => void)[] = [];
  let cutTo = 0;
  for (const [mention, walked] of walk.mentions.entries()) {
    const action = plan[mention % plan.length] ?? 'keep';
    // Nothing is edited inside what was cut out already.
    if (action === 'keep' || scanner.tagStart(mention) < cutTo) continue;
    if (action === 'cut') {
      if (walked.cut === undefined) continue;
      edits.push(cutMention(scanner, mention));
      onMessage.push(walked.cut);
      cutTo = scanner.contentEnd(mention);
    } else if (walked.replace !== undefined) {
      const { replace } = walked;
      edits.push(replaceMention(scanner, mention, Buffer.from(action.replaceWith)));
      onMessage.push(() => replace(action.replaceWith));
    }
  }
  for (const edit of onMessage.toReversed()) edit();
  walk.settle();
  return { spliced: frameBody(spliceFrame(scanner, edits)), encoded: toBinary(at.desc, decoded) };
}

test('cutting and replacing any mentions gives byte for byte what encoding the edited message gives', () => {
  for (const at of every.filter(({ table }) => table.interesting)) {
    const property = fc.property(messageArbitrary(at.desc), plans, (value, plan) => {
      const { spliced, encoded } = editBothWays(at, toBinary(at.desc, value.message), plan);
      assert.ok(
        equals(at.desc, fromBinary(at.desc, spliced), fromBinary(at.desc, encoded)),
        'the decoded messages differ',
      );
      assert.deepEqual(spliced, Buffer.from(encoded));
    });
    fc.assert(property, { numRuns: 20 });
  }
});

test('without an edit the frame holds the same bytes', () => {
  for (const at of every) {
    const scanner = scannerOf[at.direction];
    for (const value of fc.sample(messageArbitrary(at.desc), { numRuns: 5, seed: 3 })) {
      const bytes = toBinary(at.desc, value.message);
      assert.ok(scanner.scan(at.table, bytes));
      assert.deepEqual(frameBody(spliceFrame(scanner, [])), Buffer.from(bytes));
    }
  }
});

const START = '/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution';
const text = (number: number, content: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(content);
  const length = new Uint8Array(varintBytes(bytes.length));
  writeVarint(length, 0, bytes.length);
  return Buffer.concat([Buffer.of(number * 8 + 2), length, bytes]);
};

function scanStart(bytes: Uint8Array, start = 0, end: number = bytes.length): MessageScanner {
  const method = methodTables.get(START);
  assert.ok(method !== undefined);
  assert.ok(scannerOf.request.scan(method.request, bytes, start, end));
  return scannerOf.request;
}

test('a field put in stands first, before an edit of the field that was first', () => {
  const scanner = scanStart(Buffer.concat([text(2, 'workflow'), text(10, 'request')]));
  const insert = insertField(scanner, [0x0a], Buffer.from('orders.acme'));
  const cut = cutMention(scanner, 0);
  const expected = Buffer.concat([text(1, 'orders.acme'), text(10, 'request')]);
  assert.deepEqual(frameBody(spliceFrame(scanner, [insert, cut])), expected);
});

test('edits are given in any order', () => {
  const scanner = scanStart(Buffer.concat([text(1, 'a'), text(4, text(1, 'queue')), text(9, 'me')]));
  const edits = [0, 1, 2].map((mention) => replaceMention(scanner, mention, Buffer.from(`new ${mention}`)));
  const expected = Buffer.concat([text(1, 'new 0'), text(4, text(1, 'new 1')), text(9, 'new 2')]);
  assert.deepEqual(frameBody(spliceFrame(scanner, edits.toReversed())), expected);
  assert.deepEqual(frameBody(spliceFrame(scanner, edits)), expected);
});

test('fields in another order than writers give them keep that order', () => {
  const scanner = scanStart(Buffer.concat([text(9, 'me'), text(4, text(3, 'normal')), text(1, 'a')]));
  const edits = [cutMention(scanner, 1), replaceMention(scanner, 2, Buffer.from('b'))];
  const expected = Buffer.concat([text(9, 'me'), text(4, ''), text(1, 'b')]);
  assert.deepEqual(frameBody(spliceFrame(scanner, edits)), expected);
});

test('the lengths around an edit grow and shrink by bytes of their own', () => {
  for (const [before, after] of [
    [1, 126],
    [126, 1],
    [100, 20_000],
    [20_000, 100],
    [125, 16_382],
  ] as const) {
    const scanner = scanStart(Buffer.concat([text(4, text(1, 'q'.repeat(before))), text(9, 'me')]));
    const edit = replaceMention(scanner, 0, Buffer.from('r'.repeat(after)));
    const expected = Buffer.concat([text(4, text(1, 'r'.repeat(after))), text(9, 'me')]);
    assert.deepEqual(frameBody(spliceFrame(scanner, [edit])), expected);
  }
});

test('what lies around the scanned message is not written', () => {
  const message = text(1, 'orders.acme');
  const scanner = scanStart(Buffer.concat([Buffer.alloc(5), message, Buffer.of(9)]), 5, 5 + message.length);
  assert.deepEqual(frameBody(spliceFrame(scanner, [])), message);
  assert.deepEqual(frameBody(spliceFrame(scanner, [cutMention(scanner, 0)])), Buffer.alloc(0));
});

test('a field of a newer API is cut out at any level, and nothing else with it', () => {
  const [number, path] = newerField();
  const tag = varintOf(number * 8 + 2);
  const message = Buffer.concat([text(1, 'orders.acme'), tag, Buffer.of(2, 0xff, 0xff), text(2, 'rest')]);
  const method = methodTables.get(path);
  assert.ok(method !== undefined);
  const scanner = scannerOf.request;
  assert.ok(scanner.scan(method.request, message));
  const newer = [...new Array(scanner.mentionCount).keys()].filter((at) => scanner.role(at) === Role.newer);
  const edits = newer.map((mention) => cutMention(scanner, mention));
  assert.equal(edits.length, 1);
  const expected = Buffer.concat([text(1, 'orders.acme'), text(2, 'rest')]);
  assert.deepEqual(frameBody(spliceFrame(scanner, edits)), expected);
});

function varintOf(value: number): Uint8Array {
  const bytes = new Uint8Array(varintBytes(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/** A request whose root has a length-delimited newer field beside texts 1 and 2. */
function newerField(): [number, string] {
  for (const [path, { request }] of methodTables) {
    const isText = (number: number): boolean => ((request.codes[number] ?? 0) & 31) === 4;
    const number = request.codes.findIndex((code) => (code & 15) === 3 && roleOfCode(code) === Role.newer);
    if (number > 0 && isText(1) && isText(2)) return [number, path];
  }
  throw new Error('no request has such a field');
}

test('a varint is written in its shortest form', () => {
  for (const [value, bytes] of [
    [0, [0]],
    [127, [127]],
    [128, [0x80, 1]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 1]],
    [0x7fffffff, [0xff, 0xff, 0xff, 0xff, 7]],
  ] as const) {
    assert.deepEqual(varintOf(value), Uint8Array.from(bytes));
  }
});

test('a reply is spliced without losing what is new in a part that nobody looks into', () => {
  const at = every.find(
    ({ direction, desc }) => direction === 'response' && desc.name === 'PollActivityTaskQueueResponse',
  );
  assert.ok(at !== undefined);
  const unknown = Buffer.from([0xfa, 0x3e, 3, 0xff, 0xfe, 0xfd]);
  const type = text(5, unknown);
  const scanner = scannerOf.response;
  assert.ok(scanner.scan(at.table, Buffer.concat([text(1, 'token'), type])), scanner.faultAt);
  const edit = replaceMention(scanner, 0, Buffer.from('bound token'));
  assert.deepEqual(frameBody(spliceFrame(scanner, [edit])), Buffer.concat([text(1, 'bound token'), type]));
});
