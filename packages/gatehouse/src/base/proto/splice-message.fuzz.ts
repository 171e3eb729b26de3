import { ByteSource } from '#testing/fuzz/byte-source';
import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { messageRoles } from '#testing/proto/field-role';
import { Role } from './role.ts';
import { MessageScanner } from './scan-message.ts';
import {
  cutMention,
  type Edit,
  GRPC_PREFIX_BYTES,
  insertField,
  replaceMention,
  spliceFrame,
} from './splice-message.ts';
import { Kind } from './wire-kinds.ts';
import { type MessageTable, requestTables } from './wire-tables.ts';

const EDITS_MAX = 8;
const FIELD_MAX = 15;
const scanner = new MessageScanner(requestTables, { reply: false });
const again = new MessageScanner(requestTables, { reply: false });

/** After edits of fields that hold nothing but bytes the message scans, and says what it said but for them. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { table, direction } = messageOf(source.number());
  const choices = source.take(EDITS_MAX);
  const message = source.rest();
  if (direction !== 'request' || !scanner.scan(table, message)) return;
  const edits: Edit[] = [];
  const expected: string[] = [];
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const key = wordOf(scanner, mention);
    const choice = choices[mention % EDITS_MAX] ?? 0;
    const isLeaf = scanner.contentStart(mention) > scanner.lengthStart(mention) && !mayHoldMessage(mention);
    if (!isLeaf || choice % 3 === 0) expected.push(key);
    else if (choice % 3 === 1) edits.push(cutMention(scanner, mention));
    else {
      const value = Buffer.alloc(choice * 3, 'x');
      edits.push(replaceMention(scanner, mention, value));
      expected.push(`${scanner.role(mention)}:${value.toString('latin1')}`);
    }
  }
  const frame = spliceFrame(scanner, edits);
  if (frame.readUInt32BE(1) !== frame.length - GRPC_PREFIX_BYTES)
    throw new Error('a wrong length in the prefix');
  if (!again.scan(table, frame, GRPC_PREFIX_BYTES, frame.length))
    throw new Error(`what was written is ${again.fault} at ${again.faultAt}`);
  const found = Array.from({ length: again.mentionCount }, (_, mention) => wordOf(again, mention));
  if (found.join() !== expected.join()) throw new Error(`says ${found}\nand not ${expected}`);
  insertFirst(table);
}

/** A text field that is not there, put before everything else. */
function insertFirst(table: MessageTable): void {
  const number = table.codes.findIndex(
    (code, at) => at > 0 && at <= FIELD_MAX && (code & 15) === Kind.string,
  );
  if (number < 0) return;
  const frame = spliceFrame(scanner, [insertField(scanner, [number * 8 + 2], Buffer.from('first'))]);
  const written = frame.subarray(GRPC_PREFIX_BYTES, GRPC_PREFIX_BYTES + 7);
  if (!written.equals(Buffer.concat([Buffer.of(number * 8 + 2, 5), Buffer.from('first')])))
    throw new Error('what was inserted is not at the start');
}

/** Messages are compared by what is in them. */
function wordOf(at: MessageScanner, mention: number): string {
  const role = at.role(mention);
  return messageRoles.has(role)
    ? `${role}`
    : `${role}:${Buffer.from(at.content(mention)).toString('latin1')}`;
}

/** Of `newer` fields nobody knows whether they do. */
function mayHoldMessage(mention: number): boolean {
  const role = scanner.role(mention);
  return messageRoles.has(role) || role === Role.newer;
}

export const protobufFrom = 10;

export function* seeds(): Generator<Uint8Array> {
  for (const { number, bytes } of sampleMessages('request'))
    yield Buffer.concat([number, Buffer.from([0, 1, 2, 5, 50, 4, 3, 8]), bytes]);
}
