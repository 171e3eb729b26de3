import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { fieldPath, fieldPathText } from './field-path.ts';
import { MessageScanner } from './scan-message.ts';
import { requestTables, responseTables } from './wire-tables.ts';

const HEAD_BYTES = 4;
const scanners = {
  request: new MessageScanner(requestTables, { reply: false }),
  // Checks all of it, as for a request.
  response: new MessageScanner(responseTables, { reply: false }),
};

/** It ends whatever the bytes, and in what the scanner accepts it finds the way to each field with a content. */
export function fuzz(bytes: Buffer): void {
  if (bytes.length < HEAD_BYTES) return;
  const { table, direction } = messageOf(bytes.readUInt16BE(0));
  const message = bytes.subarray(HEAD_BYTES);
  const whole = [0, message.length] as const;
  const steps = fieldPath(table.name, message, whole, bytes.readUInt16BE(2));
  if (steps !== undefined) fieldPathText(steps);
  const scanner = scanners[direction];
  if (!scanner.scan(table, message)) return;
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const start = scanner.contentStart(mention);
    if (start === scanner.lengthStart(mention)) continue;
    const path = fieldPath(table.name, message, whole, start);
    if (path === undefined) throw new Error(`no way to the field at ${start} of ${table.name}`);
    for (const [at, step] of path.entries()) {
      const outer = path[at - 1] ?? { start: 0, end: message.length };
      const isInside = outer.start <= step.start && step.start <= start && step.end <= outer.end;
      if (!isInside) throw new Error(`step ${at} to ${start} leaves its message`);
    }
    if ((path.at(-1)?.end ?? 0) < scanner.contentEnd(mention))
      throw new Error(`another field than at ${start}`);
  }
}

export const protobufFrom = 4;

export function* seeds(): Generator<Uint8Array> {
  const nowhere = Buffer.alloc(2);
  for (const { number, bytes } of sampleMessages('request')) yield Buffer.concat([number, nowhere, bytes]);
}
