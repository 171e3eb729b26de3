import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { messageArbitrary } from '#testing/proto/message-arbitrary';
import { mentionKey, scannedMentions } from '#testing/proto/scanned-mentions';
import { walkMentions } from '#testing/proto/walk-mentions';
import { methodMessages, scannedTypes } from '#testing/proto/workflow-messages';
import { messageType } from './api-registry.ts';
import { Role } from './role.ts';
import { Fault, faultNames, MessageScanner } from './scan-message.ts';
import { Kind } from './wire-kinds.ts';
import { methodTables, REPEATED, requestTables, responseTables, roleOfCode } from './wire-tables.ts';

const requests = new MessageScanner(requestTables, { reply: false });
const replies = new MessageScanner(responseTables, { reply: true });
const scannerOf = { request: requests, response: replies };

const every = methodMessages();
const tables = { request: requestTables, response: responseTables };
const START = '/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution';
const COMPLETE = '/temporal.api.workflowservice.v1.WorkflowService/RespondWorkflowTaskCompleted';

const bytes = (...parts: (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))));

/** A length-delimited field with a one-byte tag. */
const field = (number: number, ...content: (number | string | Uint8Array)[]): Buffer => {
  const inner = bytes(...content);
  return bytes(number * 8 + 2, varint(inner.length), inner);
};

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...out, rest]);
}

function requestFault(path: string, message: Uint8Array): number {
  const method = methodTables.get(path);
  assert.ok(method !== undefined);
  return requests.scan(method.request, message) ? Fault.none : requests.fault;
}
const startFault = (...parts: (number | string | Uint8Array)[]): number =>
  requestFault(START, bytes(...parts));

test('every message is accepted as writers encode it, and exactly its fields with a role are found, in order', () => {
  // Each type as a root of its own: below the root of a request some fields are too rare to be drawn.
  for (const at of scannedTypes()) {
    const scanner = scannerOf[at.direction];
    const property = fc.property(messageArbitrary(at.desc), ({ message }) => {
      const bytes = toBinary(at.desc, message);
      const accepted = scanner.scan(at.table, bytes);
      assert.ok(accepted, `${at.desc.typeName}: ${faultNames[scanner.fault]} at ${scanner.faultAt}`);
      const expected = walkMentions(at.direction, at.desc, fromBinary(at.desc, bytes)).mentions;
      assert.deepEqual(scannedMentions(scanner).map(mentionKey), expected.map(mentionKey), at.desc.typeName);
    });
    fc.assert(property, { numRuns: 20 });
  }
});

/** The roles that the tables give to fields of a direction. */
function knownRoles(direction: 'request' | 'response'): Set<number> {
  const known = new Set<number>();
  for (const table of tables[direction].messages) {
    for (const code of table.codes) known.add(roleOfCode(code));
  }
  known.delete(Role.none);
  // A newer field is one that this API cannot write: the differential fuzz appends them.
  known.delete(Role.newer);
  return known;
}

test('the generated messages reach every role that the tables know', () => {
  const missing = { request: knownRoles('request'), response: knownRoles('response') };
  const roundsMax = 60;
  for (let seed = 1; seed <= roundsMax && missing.request.size + missing.response.size > 0; seed += 1) {
    for (const { desc, direction } of every) {
      if (missing[direction].size === 0) continue;
      for (const { message } of fc.sample(messageArbitrary(desc), { numRuns: 20, seed })) {
        for (const { role } of walkMentions(direction, desc, message).mentions)
          missing[direction].delete(role);
      }
    }
  }
  assert.deepEqual(missing, { request: new Set(), response: new Set() });
});

test('a message is found inside the bytes that surround it, which are not read', () => {
  const method = methodTables.get(START);
  assert.ok(method !== undefined);
  const inner = field(1, 'orders.acme');
  const around = bytes(0xff, 0xff, inner, 0xff);
  assert.ok(requests.scan(method.request, around, 2, 2 + inner.length));
  assert.equal(requests.text(0), 'orders.acme');
  assert.equal(requests.scan(method.request, around, 2, 3 + inner.length), false);
});

test('bytes that lie inside a larger buffer are read from their own place', () => {
  const method = methodTables.get(START);
  assert.ok(method !== undefined);
  const larger = bytes(9, 9, 9, field(1, 'orders.ácme'), 9);
  assert.ok(requests.scan(method.request, larger.subarray(3, larger.length - 1)));
  assert.equal(requests.text(0), 'orders.ácme');
});

test('a scan leaves nothing of the one before it', () => {
  assert.equal(startFault(field(1, 'a'), field(2, 'b'), 0xff), Fault.malformed);
  assert.equal(startFault(), Fault.none);
  assert.equal(requests.mentionCount, 0);
  assert.equal(requests.frameCount, 1);
  assert.equal(requests.faultAt, '');
});

test('T-033 a namespace sent twice is refused, whether the values differ or not', () => {
  assert.equal(startFault(field(1, 'a'), field(1, 'b')), Fault.duplicateField);
  assert.equal(startFault(field(1, 'a'), field(1, 'a')), Fault.duplicateField);
  assert.equal(startFault(field(1, 'a'), field(2, 'w'), field(1, '')), Fault.duplicateField);
  assert.equal(requests.faultAt, 'temporal.api.workflowservice.v1.StartWorkflowExecutionRequest#1');
});

test('T-033 a sub-message sent twice is refused, since decoders merge the two', () => {
  assert.equal(startFault(field(4, field(1, 'q')), field(4)), Fault.duplicateField);
});

test('T-033 two members of one oneof are refused, since the last one would win', () => {
  const command = (...parts: Buffer[]): Buffer => field(2, ...parts);
  assert.equal(requestFault(COMPLETE, command(field(2), field(3))), Fault.duplicateField);
  assert.equal(requestFault(COMPLETE, bytes(command(field(2)), command(field(3)))), Fault.none);
});

test('T-033 a namespace with the wrong wire type is refused', () => {
  assert.equal(startFault(0x08, 1), Fault.malformed);
  assert.equal(startFault(0x09, 1, 2, 3, 4, 5, 6, 7, 8), Fault.malformed);
  assert.equal(startFault(0x0d, 1, 2, 3, 4), Fault.malformed);
});

test('T-033 a number or a message with the wrong wire type is refused', () => {
  const policy = 11 * 8;
  assert.equal(startFault(policy, 1), Fault.none);
  assert.equal(startFault(policy + 1, 1, 0, 0, 0, 0, 0, 0, 0), Fault.malformed);
  assert.equal(startFault(policy + 5, 1, 0, 0, 0), Fault.malformed);
  assert.equal(startFault(policy + 2, 1, 1), Fault.malformed);
  assert.equal(startFault(policy + 6), Fault.malformed);
  assert.equal(startFault(policy + 7, 1), Fault.malformed);
  // A message as a number.
  assert.equal(startFault(4 * 8, 0), Fault.malformed);
});

test('T-033 a field that is in no table is refused at every level', () => {
  assert.equal(startFault(field(15), bytes(0xfa, 0x3e, 0)), Fault.unknownField);
  assert.equal(startFault(bytes(0xfa, 0x3e, 0)), Fault.unknownField);
  assert.equal(startFault(field(4, field(9, 'x'))), Fault.unknownField);
  assert.equal(requests.faultAt, 'temporal.api.taskqueue.v1.TaskQueue#9');
});

test('T-033 the fields of a map entry are at most one key and one value', () => {
  const entry = (...parts: Buffer[]): Buffer => field(14, field(1, ...parts));
  assert.equal(startFault(entry(field(1, 'k'), field(2))), Fault.none);
  assert.equal(startFault(entry(field(1, 'k'), field(1, 'l'))), Fault.duplicateField);
  assert.equal(startFault(entry(field(2), field(2))), Fault.duplicateField);
  assert.equal(startFault(entry(field(3, 'x'))), Fault.unknownField);
});

test('T-034 groups are refused, known field or not', () => {
  assert.equal(startFault(0x0b, 0x0c), Fault.malformed);
  assert.equal(startFault(0x23, 0x24), Fault.malformed);
  assert.equal(startFault(0x0c), Fault.malformed);
});

test('T-034 varints longer than they need to be are refused: tags, lengths and values', () => {
  assert.equal(startFault(0x8a, 0x00, 1, 'a'), Fault.malformed);
  assert.equal(startFault(0x0a, 0x81, 0x00, 'a'), Fault.malformed);
  const policy = (...value: number[]): number => startFault(11 * 8, ...value);
  assert.equal(policy(0x81, 0x00), Fault.malformed);
  assert.equal(policy(1), Fault.none);
  const minusOne = [...new Array<number>(9).fill(0xff), 1];
  assert.equal(policy(...minusOne), Fault.none);
  assert.equal(policy(...new Array<number>(9).fill(0xff), 2), Fault.malformed);
  assert.equal(policy(...new Array<number>(10).fill(0xff), 1), Fault.malformed);
  assert.equal(policy(0x80), Fault.malformed);
});

test('T-034 a field number of zero and one beyond 29 bits are refused', () => {
  assert.equal(startFault(0x02, 0), Fault.malformed);
  assert.equal(startFault(0xff, 0xff, 0xff, 0xff, 0x0f), Fault.malformed);
  // The number of the namespace, with a bit more.
  for (const number of [2 ** 8 + 1, 2 ** 16 + 1, 2 ** 24 + 1, 2 ** 27 + 1]) {
    assert.equal(startFault(varint(number * 8 + 2), 1, 'a'), Fault.unknownField);
  }
  assert.equal(startFault(varint(2 ** 32 + 10), 1, 'a'), Fault.malformed);
  assert.equal(startFault(0xff, 0xff, 0xff, 0xff, 0x7f), Fault.malformed);
  assert.equal(startFault(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), Fault.malformed);
});

test('T-034 lengths beyond the message are refused, however large', () => {
  assert.equal(startFault(0x0a, 5, 'abcd'), Fault.malformed);
  assert.equal(startFault(0x0a), Fault.malformed);
  assert.equal(startFault(0x0a, 0x80), Fault.malformed);
  assert.equal(startFault(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07), Fault.malformed);
  // 2^31, 2^32 and 2^63: numbers that wrap in 32 or 64 bits.
  assert.equal(startFault(0x0a, 0x80, 0x80, 0x80, 0x80, 0x08), Fault.malformed);
  assert.equal(startFault(0x0a, 0x80, 0x80, 0x80, 0x80, 0x10), Fault.malformed);
  assert.equal(startFault(0x0a, ...new Array<number>(9).fill(0x80), 0x01), Fault.malformed);
});

test('T-034 a field that ends outside its message is refused, though bytes follow', () => {
  assert.equal(startFault(0x22, 3, 0x0a, 5, 'queue', field(1, 'n')), Fault.malformed);
});

test('T-034 packed values are checked one by one', () => {
  const [path, number] = packedField();
  assert.equal(requestFault(path, field(number, 1, 0xac, 2)), Fault.none);
  assert.equal(requestFault(path, field(number)), Fault.none);
  assert.equal(requestFault(path, bytes(number * 8, 1, number * 8, 2)), Fault.none);
  assert.equal(requestFault(path, field(number, 1, 0x80)), Fault.malformed);
  assert.equal(requestFault(path, field(number, 0x80, 0x00)), Fault.malformed);
  assert.equal(requestFault(path, field(number, ...new Array<number>(11).fill(0xff))), Fault.malformed);
});

/** A request with a repeated number at its root. */
function packedField(): [string, number] {
  for (const [path, { request }] of methodTables) {
    const number = request.codes.findIndex((code) => (code & 31) === 17 && roleOfCode(code) === Role.none);
    if (number > 0 && number < 16) return [path, number];
  }
  throw new Error('no request has a packed field at its root');
}

/** A failure whose causes are nested this often. Written from the inside out into one buffer. */
function nestedFailure(levels: number): Uint8Array {
  const buffer = Buffer.alloc(levels * 6);
  let start = buffer.length;
  for (let level = 0; level < levels; level += 1) {
    const prefix = bytes(0x22, varint(buffer.length - start));
    start -= prefix.length;
    buffer.set(prefix, start);
  }
  return buffer.subarray(start);
}

test('T-034 nesting is refused beyond a bound, in little time and stack', () => {
  const path = '/temporal.api.workflowservice.v1.WorkflowService/RespondActivityTaskFailed';
  const failed = (levels: number): number => {
    const failure = nestedFailure(levels);
    return requestFault(path, bytes(0x12, varint(failure.length), failure));
  };
  assert.equal(failed(90), Fault.none);
  assert.equal(failed(10_000), Fault.tooDeep);
  assert.equal(failed(100_000), Fault.tooDeep);
});

test('T-035 invalid UTF-8 in any text is refused in requests, short or long', () => {
  const wrong = [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]];
  for (const text of wrong) {
    const tail = Uint8Array.from(text);
    assert.equal(startFault(field(1, 'orders', tail)), Fault.invalidUtf8);
    assert.equal(startFault(field(1, 'o'.repeat(60), tail, 'o')), Fault.invalidUtf8);
    // The key of a map is a text too.
    assert.equal(startFault(field(14, field(1, field(1, tail)))), Fault.invalidUtf8);
  }
  assert.equal(startFault(field(1, 'órders\u{10ffff}'), field(2, '日本'.repeat(20))), Fault.none);
});

/** RespondWorkflowTaskCompletedRequest.messages[0].body: an Any. */
const withBody = (...any: (number | string | Uint8Array)[]): number =>
  requestFault(COMPLETE, field(11, field(5, ...any)));
const UPDATE = 'type.googleapis.com/temporal.api.update.v1.Rejection';

test('what an Any holds is scanned by the type that it names', () => {
  assert.equal(withBody(), Fault.none);
  assert.equal(withBody(field(1, UPDATE)), Fault.none);
  assert.equal(withBody(field(1, UPDATE), field(2, field(1, 'id'))), Fault.none);
  assert.equal(withBody(field(1, UPDATE), field(2, field(9, 'id'))), Fault.unknownField);
});

test('an Any in another form than writers give it, or of a type that is not known, is refused', () => {
  assert.equal(withBody(field(2, field(1, 'id')), field(1, UPDATE)), Fault.malformed);
  assert.equal(withBody(field(1, UPDATE), field(1, UPDATE)), Fault.malformed);
  assert.equal(withBody(field(1, UPDATE), field(2), field(2)), Fault.malformed);
  assert.equal(withBody(field(1, UPDATE), field(2), field(3)), Fault.malformed);
  assert.equal(withBody(field(1, UPDATE), field(3)), Fault.malformed);
  assert.equal(withBody(field(1, UPDATE), 0x12, 1), Fault.malformed);
  assert.equal(withBody(field(2)), Fault.malformed);
  assert.equal(withBody(field(1)), Fault.unknownAnyType);
  assert.equal(
    withBody(field(1, 'type.googleapis.com/temporal.api.update.v1.Rejectio')),
    Fault.unknownAnyType,
  );
  assert.equal(withBody(field(1, 'a/google.protobuf.Any')), Fault.unknownAnyType);
  assert.equal(withBody(0x0a, 9, 'a'), Fault.malformed);
});

test('T-035 invalid UTF-8 in the name of a type inside Any is refused in requests', () => {
  assert.equal(withBody(field(1, 0xff, '/temporal.api.update.v1.Rejection')), Fault.invalidUtf8);
});

test('T-040 the thousandth of a thousand mentions is found like the first, and its message with it', () => {
  const names = Array.from({ length: 1000 }, (_, at) => `n${at}`);
  // Command.start_child_workflow_execution_command_attributes.namespace
  const commands = names.map((name) => field(2, field(12, field(1, name))));
  assert.equal(requestFault(COMPLETE, Buffer.concat(commands)), Fault.none);
  assert.deepEqual(
    names.map((_, mention) => requests.text(mention)),
    names,
  );
  assert.equal(requests.mentionCount, 1000);
  assert.equal(requests.frameCount, 2001);
});

test('T-033 a type with more singular fields than fit into one word is watched as closely', () => {
  const { table } =
    scannedTypes().find(
      ({ desc }) => desc.typeName === 'temporal.api.history.v1.WorkflowExecutionStartedEventAttributes',
    ) ?? assert.fail();
  for (const [number, code] of table.codes.entries()) {
    if (code === 0 || (code & REPEATED) !== 0) continue;
    const kind = code & 15;
    const wireType = kind === Kind.varint ? 0 : 2;
    const once = bytes(varint(number * 8 + wireType), 0);
    assert.ok(replies.scan(table, once), `${number}: ${replies.faultAt}`);
    assert.equal(replies.scan(table, bytes(once, once)), false);
    assert.equal(replies.fault, Fault.duplicateField);
  }
});

function typeWithUninterestingChild(): { desc: DescMessage; number: number; child: DescMessage } {
  for (const { direction, table, desc } of every) {
    if (direction !== 'response' || !table.interesting) continue;
    for (const { number, fieldKind, message } of desc.fields) {
      if (fieldKind !== 'message' || table.children[number]?.interesting !== false) continue;
      if (number < 16) return { desc, number, child: message };
    }
  }
  throw new Error('no such reply');
}

test('a reply is not refused for fields that are new in a part that nobody looks into', () => {
  const { desc, number } = typeWithUninterestingChild();
  const table = every.find((at) => at.direction === 'response' && at.desc === desc)?.table;
  assert.ok(table !== undefined);
  const unknown = bytes(0xfa, 0x3e, 3, 0xff, 0xfe, 0xfd);
  assert.ok(replies.scan(table, field(number, unknown)));
  // In a part that is looked into it could be a namespace by a new name.
  assert.equal(replies.scan(table, unknown), false);
  assert.equal(replies.fault, Fault.unknownField);
});

test('a reply is not searched for invalid UTF-8, which the engine never writes', () => {
  const table = methodTables.get(
    '/temporal.api.workflowservice.v1.WorkflowService/PollActivityTaskQueue',
  )?.response;
  assert.ok(table !== undefined);
  assert.ok(replies.scan(table, field(2, 0xff)));
  assert.equal(messageType(table.name).fields.find(({ number }) => number === 2)?.name, 'workflow_namespace');
});

test('any bytes at all are answered, without a throw', () => {
  const anything = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(fc.constantFrom(...every), anything, (at, message) => {
      const scanner = scannerOf[at.direction];
      assert.equal(scanner.scan(at.table, message), scanner.fault === Fault.none);
    }),
    { numRuns: 2000 },
  );
});
