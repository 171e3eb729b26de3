import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExactJson } from './exact-json.ts';
import { lengthenPayload, type PayloadJson, shortenPayload } from './payload-shorthand.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString();
const NULL = { metadata: { encoding: base64('binary/null') } };

test('any JSON value but null becomes a json/plain payload and comes back as it was', () => {
  fc.assert(
    fc.property(fc.json(), (source) => {
      const value: unknown = JSON.parse(source);
      const payload = lengthenPayload(value);
      if (value === null) assert.deepEqual(payload, NULL);
      // As text: integers beyond 2^53 come back as they were written, not as numbers.
      else assert.equal(JSON.stringify(shortenPayload(payload)), JSON.stringify(value));
    }),
  );
});

test('null is the null payload, which the engine shows in its full form', () => {
  assert.deepEqual(lengthenPayload(null), NULL);
  assert.deepEqual(shortenPayload({ metadata: { encoding: base64('binary/null') }, data: '' }), NULL);
  assert.deepEqual(
    shortenPayload({ metadata: { encoding: base64('json/plain') }, data: base64('null') }),
    NULL,
  );
});

test('a full payload is taken as it is, in either alphabet of base64', () => {
  const full = { metadata: { encoding: base64('binary/gatehouse') }, data: 'AP__-w' };
  assert.equal(lengthenPayload(full), full);
});

const shorthand: readonly (readonly [string, unknown])[] = [
  ['no encoding', { metadata: { other: 'AA==' }, data: 'AA==' }],
  ['no data', { metadata: { encoding: 'AA==' } }],
  ['a third key', { metadata: { encoding: 'AA==' }, data: 'AA==', more: 1 }],
  ['data that is not base64', { metadata: { encoding: 'AA==' }, data: '~' }],
  ['metadata that is not text', { metadata: { encoding: 'AA==', x: 1 }, data: 'AA==' }],
  ['metadata that is not an object', { metadata: 'x', data: 'AA==' }],
];
for (const [name, value] of shorthand) {
  test(`an object with ${name} is plain JSON, not a payload`, () => {
    const payload = lengthenPayload(value);
    assert.equal(text(payload.metadata?.['encoding']), 'json/plain');
    assert.deepEqual(JSON.parse(text(payload.data)), value);
  });
}

test('_protoMessageType makes a json/protobuf payload, and the other way round', () => {
  const payload = lengthenPayload({ _protoMessageType: 'a.B', id: 1 });
  assert.equal(text(payload.metadata?.['encoding']), 'json/protobuf');
  assert.equal(text(payload.metadata?.['messageType']), 'a.B');
  assert.equal(text(payload.data), '{"id":1}');
  assert.deepEqual(shortenPayload(payload), { _protoMessageType: 'a.B', id: 1 });
  assert.throws(() => lengthenPayload({ _protoMessageType: 1 }), TypeError);
});

const notShortened: readonly (readonly [string, PayloadJson])[] = [
  ['sealed', { metadata: { encoding: base64('binary/gatehouse') }, data: 'AA==' }],
  ['of plain bytes', { metadata: { encoding: base64('binary/plain') }, data: 'AA==' }],
  [
    'with further metadata',
    { metadata: { encoding: base64('json/plain'), 'key-id': 'AA==' }, data: base64('1') },
  ],
  ['whose data is not JSON', { metadata: { encoding: base64('json/plain') }, data: base64('{') }],
  ['of no encoding', {}],
  [
    'of a protobuf message that is no object',
    { metadata: { encoding: base64('json/protobuf'), messageType: base64('a') }, data: base64('[]') },
  ],
];
for (const [name, payload] of notShortened) {
  test(`a payload ${name} keeps its full form`, () => assert.equal(shortenPayload(payload), undefined));
}

test('integers beyond 2^53 survive both ways', () => {
  const source = '{"id":12345678901234567890,"n":-9007199254740993,"f":0.1}';
  const payload = lengthenPayload(parseExactJson(Buffer.from(source)));
  assert.equal(text(payload.data), source);
  assert.equal(JSON.stringify(shortenPayload(payload)), source);
});

test('T-030 a key named __proto__ is a key', () => {
  const source = '{"__proto__":{"admin":true},"_protoMessageType":"a.B"}';
  const payload = lengthenPayload(JSON.parse(source));
  assert.equal(text(payload.data), '{"__proto__":{"admin":true}}');
  assert.equal(({} as Record<string, unknown>)['admin'], undefined);
});
