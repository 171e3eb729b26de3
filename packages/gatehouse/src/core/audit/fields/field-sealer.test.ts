import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '#base/runtime/clock';
import { TEXT_LENGTH_MAX } from '../quoted-text.ts';
import { createAuditDataKeys } from './audit-data-keys.ts';
import { openerOf } from './field-opener.ts';
import { createFieldSealer } from './field-sealer.ts';
import { createRecentTexts } from './recent-texts.ts';
import { SEALED_FIELDS, type SealedField } from './sealed-fields.ts';

const CHAIN = '0190c8d8-7c1a-7b6e-9c1f-8f0e5a3b2c1d';
const NOVEMBER = Date.UTC(2026, 10, 24);
const DECEMBER = Date.UTC(2026, 11, 1);

function parts(chain = CHAIN) {
  const time = { ms: NOVEMBER };
  const clock = { now: () => time.ms, monotonicMs: systemClock.monotonicMs };
  const keys = createAuditDataKeys();
  const sealer = createFieldSealer(chain, keys, clock);
  const held = (...times: number[]) =>
    openerOf(new Map(times.map((each) => [keys.at(each).id, keys.at(each).key])), new Set());
  const seal = (field: SealedField, value: string): string =>
    JSON.parse(sealer.textNow()(field, value)) as string;
  return { time, keys, sealer, held, seal };
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 700 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 700 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom('203.0.113.7:55001', '~AAAA', '"', '\\', '\n', '\ud800', '~'),
);

test('a sealed field stands in the line as printable ASCII without its value, and opens to it', () => {
  const { sealer, held } = parts();
  const opener = held(NOVEMBER);
  fc.assert(
    fc.property(hostile, fc.constantFrom(...SEALED_FIELDS), (value, field) => {
      const quoted = sealer.textNow()(field, value);
      assert.match(quoted, /^"~[\w-]{70,}"$/);
      const opened = opener.open(CHAIN, field, JSON.parse(quoted));
      assert.ok('value' in opened);
      assert.equal(opened.value.slice(0, TEXT_LENGTH_MAX), value.slice(0, TEXT_LENGTH_MAX));
    }),
    { numRuns: 500 },
  );
});

test('pseudonyms and our own principals stay readable; a principal that names a person does not', () => {
  const { sealer, seal } = parts();
  for (const open of [
    `certificate:${'9f'.repeat(32)}`,
    'anonymous',
    'gatehouse',
    'operator:configuration',
    'operator:command',
  ]) {
    assert.equal(sealer.textNow()('principal', open), `"${open}"`);
  }
  for (const personal of ['user:ada@example.com', 'operator:ada', 'certificate:Ada', 'anonymous ada', '~x']) {
    assert.match(seal('principal', personal), /^~/);
  }
  assert.match(seal('detail', 'anonymous'), /^~/);
  assert.equal(sealer.textNow()('peer', ''), '""');
});

test('a value is sealed once while it is recent, and for each field apart', () => {
  const { seal } = parts();
  assert.equal(seal('peer', '10.0.0.1:1'), seal('peer', '10.0.0.1:1'));
  assert.notEqual(seal('peer', 'x'), seal('detail', 'x'));
  const long = 'x'.repeat(600);
  assert.notEqual(seal('detail', long), seal('detail', long));
});

test('T-079 a sealed field does not open as another field, in another chain, or with another month’s key', () => {
  const { time, held, seal } = parts();
  const text = seal('peer', '10.0.0.1:1');
  time.ms = DECEMBER;
  const opener = held(NOVEMBER, DECEMBER);
  assert.deepEqual(opener.open(CHAIN, 'peer', text), { value: '10.0.0.1:1' });
  assert.deepEqual(opener.open(CHAIN, 'detail', text), { closed: 'unreadable' });
  assert.deepEqual(opener.open('another', 'peer', text), { closed: 'unreadable' });
  assert.deepEqual(held(DECEMBER).open(CHAIN, 'peer', text), { closed: 'sealed' });
});

test('T-070 a sealed field with any one bit changed gives no value', () => {
  const { held, seal } = parts();
  const opener = held(NOVEMBER);
  const box = Buffer.from(seal('credential', 'CN=orders CA 7b01').slice(1), 'base64url');
  for (let bit = 0; bit < box.length * 8; bit += 1) {
    const changed = Buffer.from(box);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const opened = opener.open(CHAIN, 'credential', `~${changed.toString('base64url')}`);
    assert.ok('closed' in opened && opened.closed !== 'erased', `bit ${bit}`);
  }
  for (const length of [0, 1, 25, 37, box.length - 1]) {
    const cut = `~${box.subarray(0, length).toString('base64url')}`;
    assert.deepEqual(opener.open(CHAIN, 'credential', cut), { closed: 'unreadable' });
  }
});

test('a box that is written otherwise than we write it is not read', () => {
  const { held, seal } = parts();
  const text = seal('peer', '10.0.0.1:12');
  for (const other of [`${text}=`, `${text}\n`, text.slice(1), `~${text}`, '~', '~%%']) {
    assert.deepEqual(held(NOVEMBER).open(CHAIN, 'peer', other), { closed: 'unreadable' });
  }
});

test('the turn of the month takes the next key, and forgets the texts of the last', () => {
  const { time, keys, held, seal } = parts();
  const before = seal('peer', '10.0.0.1:1');
  time.ms = DECEMBER - 1;
  assert.equal(seal('peer', '10.0.0.1:1'), before);
  time.ms = DECEMBER;
  const after = seal('peer', '10.0.0.1:1');
  assert.notEqual(after, before);
  assert.deepEqual(held(DECEMBER).open(CHAIN, 'peer', after), { value: '10.0.0.1:1' });
  assert.deepEqual(openerOf(new Map(), new Set([keys.at(NOVEMBER).id])).open(CHAIN, 'peer', before), {
    closed: 'erased',
  });
});

test('recent texts are bounded, and what is used is kept', () => {
  const texts = createRecentTexts(10);
  texts.set('used', 'u');
  for (let index = 0; index < 1_000; index += 1) {
    texts.set(`n${index}`, 'x');
    assert.equal(texts.get('used'), 'u');
  }
  assert.equal(texts.get('n0'), undefined);
  assert.equal(texts.get('n995'), 'x');
});
