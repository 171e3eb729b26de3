import assert from 'node:assert/strict';
import type { House, RecordedEvent } from './house.ts';

/** Fields that a record must have. A pattern stands for any text that it matches. */
export type ExpectedRecord = Readonly<Record<string, string | number | RegExp>>;

const WAIT_MS = 2000;

/** Records of earlier connections: the system may give the port of one that is gone to the next. */
const found = new Set<string>();

/** A record's own hash covers all that came before it. */
function keyOf(record: RecordedEvent): string {
  return String(record['hash']);
}

/**
 * Asserts that there is exactly one record (+A) of this connection or of this call, with these fields.
 * @param of `peer` of a connection that made no call, or `requestId` of a call.
 */
export async function expectOneRecord(
  house: House,
  of: { readonly peer: string } | { readonly requestId: string },
  expected: ExpectedRecord,
): Promise<RecordedEvent> {
  const [field, value] = 'peer' in of ? ['peer', of.peer] : ['requestId', of.requestId];
  assert.notEqual(value, '', `no ${field} to look for`);
  const find = async () =>
    (await house.events()).filter((event) => event[field] === value && !found.has(keyOf(event)));
  let records = await find();
  // The client may hear of its end before the gateway has written it down.
  for (const endsAt = performance.now() + WAIT_MS; records.length === 0 && performance.now() < endsAt; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    records = await find();
  }
  assert.equal(records.length, 1, `records of ${field} ${value}: ${JSON.stringify(records)}`);
  const [record = {}] = records;
  found.add(keyOf(record));
  assert.equal(record['count'], 1);
  assertFields(record, expected);
  return record;
}

/** Asserts that one record has these fields. */
export function assertFields(record: RecordedEvent, expected: ExpectedRecord): void {
  for (const [name, wanted] of Object.entries(expected)) {
    const value = record[name];
    if (wanted instanceof RegExp) assert.match(String(value), wanted, `${name} of ${JSON.stringify(record)}`);
    else assert.equal(value, wanted, `${name} of ${JSON.stringify(record)}`);
  }
}

/** How many refusals for this reason were recorded since: alike ones may have been folded into one record. */
export function countRefusals(events: readonly RecordedEvent[], reason: string): number {
  let count = 0;
  for (const event of events) {
    if (event['outcome'] === 'refused' && event['reason'] === reason) count += Number(event['count']);
  }
  return count;
}
