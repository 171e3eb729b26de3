import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuditEvent } from '#base/model/audit-event';
import { systemClock } from '#base/runtime/clock';
import { createRecordReader } from './audit-record.ts';
import {
  type ChainHead,
  type ChainLine,
  eventBody,
  GENESIS_HASH,
  LINE_BYTES_MAX,
  readLine,
  sealInto,
  sealLine,
} from './chain.ts';
import { createEventParts, inTheOpen } from './event-parts.ts';
import { createFieldSealer } from './fields/field-sealer.ts';
import { dataKeys, sampleEvent } from './fixture.test.ts';
import { TEXT_LENGTH_MAX } from './quoted-text.ts';

/** As in a segment of the open format. */
function openLine(after: ChainHead, event: AuditEvent, monotonicMs: number): ChainLine {
  return sealLine(eventBody(after, event, monotonicMs, inTheOpen));
}

const head = { seq: 7, hash: GENESIS_HASH };

test('a record is one line of JSON with the fields in their fixed order', () => {
  const { line } = openLine(head, sampleEvent(), 12.3456);
  assert.ok(line.endsWith('"}\n'));
  assert.deepEqual(
    { ...JSON.parse(line), hash: '' },
    { seq: 7, prev: GENESIS_HASH, monotonicMs: 12, ...sampleEvent(), hash: '' },
  );
  assert.equal(Object.keys(JSON.parse(line))[2], 'kind');
});

test('the hash of a line is SHA-256 over its bytes before the hash field', () => {
  const { line, hash } = openLine(head, sampleEvent(), 1);
  const body = line.slice(0, line.indexOf(',"hash":"'));
  assert.equal(createHash('sha256').update(body, 'latin1').digest('hex'), hash);
  assert.equal(readLine(line.slice(0, -1))?.hash, hash);
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700 }),
  fc.string({ unit: 'grapheme', maxLength: 700 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 700 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    '\n',
    '\r\n',
    '\u001b[2J',
    '","kind":"x',
    '\\',
    '\u202e',
    '\u2028',
    '\ud800',
    '=cmd|x',
    '\0',
    '\ufeff',
  ),
);

test('T-088 whatever a stranger writes, one record stays one line of printable ASCII that reads back', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (method, peer, detail) => {
      const event = sampleEvent({ method, peer, detail });
      const { line } = openLine(head, event, 1);
      assert.match(line, /^[ -~]*\n$/);
      assert.ok(line.length < LINE_BYTES_MAX);
      assert.ok(readLine(line.slice(0, -1)));
      const back = JSON.parse(line);
      for (const field of ['method', 'peer', 'detail'] as const) {
        assert.equal(back[field].slice(0, TEXT_LENGTH_MAX), event[field].slice(0, TEXT_LENGTH_MAX));
      }
    }),
    { numRuns: 500 },
  );
});

test('T-088 a text of 1 MiB is cut, with its length and a digest of the whole', () => {
  const detail = 'ä'.repeat(1_048_576);
  const { line } = openLine(head, sampleEvent({ detail }), 1);
  const digest = createHash('sha256').update(detail).digest('hex');
  assert.equal(JSON.parse(line).detail, `${'ä'.repeat(TEXT_LENGTH_MAX)}[sha256:${digest} of 1048576]`);
});

test('T-088 a line stays within its bound with every text as long and as costly as can be', () => {
  const worst = '\u202e'.repeat(2_000);
  const texts = Object.fromEntries(
    Object.entries(sampleEvent()).map(([key, value]) => [key, typeof value === 'string' ? worst : value]),
  );
  const { textNow } = createFieldSealer('chain', dataKeys, systemClock);
  for (const { line } of [
    openLine(head, sampleEvent(texts), 1),
    sealLine(eventBody(head, sampleEvent(texts), 1, createEventParts(textNow()))),
  ]) {
    assert.ok(line.length < LINE_BYTES_MAX);
  }
});

test('parts that are kept from one line to the next change nothing of any line', () => {
  const kept = createEventParts(inTheOpen.textOf);
  const word = fc.constantFrom('', 'a', 'b', '"\\u202e', 'c'.repeat(600));
  const events = fc.record({
    ...{ connectionId: word, principal: word, credential: word, namespace: word, peer: word, endpoint: word },
    ...{ method: word, reason: word, detail: word, status: fc.constantFrom(0, 7, Number.NaN) },
    outcome: fc.constantFrom('ok', 'refused'),
    severity: fc.constantFrom('low', 'high'),
  });
  fc.assert(
    fc.property(events, (given) => {
      const event = sampleEvent(given);
      const anew = createEventParts(inTheOpen.textOf);
      assert.equal(eventBody(head, event, 1, kept), eventBody(head, event, 1, anew));
    }),
    { numRuns: 2_000 },
  );
});

test('a line as bytes is the line as text', () => {
  const room = Buffer.alloc(LINE_BYTES_MAX, 0xff);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 2_000 }), (body) => {
      const { line, hash } = sealLine(body);
      assert.deepEqual(sealInto(room, body), { bytes: line.length, hash });
      assert.equal(room.toString('latin1', 0, line.length), line);
    }),
  );
  assert.throws(() => sealInto(room, 'x'.repeat(LINE_BYTES_MAX)), RangeError);
});

test('a number that is none does not break the line', () => {
  const { line } = openLine(
    head,
    sampleEvent({ durationMs: Number.NaN, timeMs: Number.POSITIVE_INFINITY }),
    1,
  );
  assert.equal(JSON.parse(line).durationMs, -1);
  assert.equal(JSON.parse(line).timeMs, -1);
});

test('T-086 a line with a right hash around what is no record is passed over by who reads records', () => {
  const reader = createRecordReader();
  assert.ok(reader.read(openLine(head, sampleEvent(), 1).line.trimEnd()));
  const start = `{"seq":${head.seq},"prev":"${head.hash}",`;
  for (const rest of [
    '"kind":"call",no JSON',
    '"kind":"call","peer":5',
    '"kind":"header",x',
    '"kind":"call","a":"b"',
  ])
    assert.equal(reader.read(sealLine(`${start}${rest}`).line.trimEnd()), undefined, rest);
});

test('T-086 a line with any one byte changed is not whole', () => {
  const line = openLine(head, sampleEvent({ detail: 'quoted " and \u202e' }), 1).line.slice(0, -1);
  fc.assert(
    fc.property(fc.nat(line.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(line, 'latin1');
      changed[at] = (changed[at] ?? 0) ^ flip;
      assert.equal(readLine(changed.toString('latin1')), undefined);
    }),
    { numRuns: 2_000 },
  );
});
