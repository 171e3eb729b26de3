import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CodecRequestError } from './codec-request-error.ts';
import { formatPayloads, parsePayloads } from './payloads-json.ts';

const parse = (value: unknown) =>
  parsePayloads(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

test('what is written is read as what it was, __proto__ as a key included', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const metadata = fc.array(fc.tuple(fc.oneof(fc.constant('__proto__'), fc.string()), bytes), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(metadata, bytes), { maxLength: 4 }), (drawn) => {
      const payloads = drawn.map(([entries, data]) => ({ metadata: Object.fromEntries(entries), data }));
      const back = parsePayloads(Buffer.from(formatPayloads(payloads)));
      const plain = (it: (typeof back)[number]) => [
        Object.entries(it.metadata ?? {}).map(([key, value]) => [key, [...value]]),
        [...(it.data ?? [])],
      ];
      assert.deepEqual(back.map(plain), payloads.map(plain));
    }),
  );
});

test('the JSON form of proto3 is read in all its ways', () => {
  const data = Buffer.from([0xfb, 0xff]);
  for (const text of ['+/8=', '-_8=', '+/8', '-_8'])
    assert.deepEqual(parse({ payloads: [{ data: text }] })[0]?.data, data);
  assert.deepEqual(parse({}), []);
  assert.deepEqual(parse({ payloads: null }), []);
  assert.deepEqual(parse({ payloads: [{}, { metadata: null, data: null }] }).length, 2);
  for (const details of [{ sizeBytes: '12' }, { size_bytes: 12 }])
    for (const name of ['externalPayloads', 'external_payloads'])
      assert.deepEqual(parse({ payloads: [{ [name]: [details] }] })[0]?.externalPayloads, [
        { sizeBytes: 12 },
      ]);
  assert.equal(
    formatPayloads([
      { metadata: { encoding: Buffer.from('json/plain') }, data, externalPayloads: [{ sizeBytes: 12 }] },
      {},
    ]),
    '{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"+/8=","externalPayloads":[{"sizeBytes":"12"}]},{}]}',
  );
});

test('what is no Payloads message is refused without quoting it', () => {
  for (const bad of [
    '',
    '{"payloads":[secret]}',
    '[]',
    '"secret"',
    { payloads: {} },
    { payloads: ['secret'] },
    { payloads: [[]] },
    { payload: [] },
    { payloads: [{ secret: 1 }] },
    { payloads: [{ data: 'se cret' }] },
    { payloads: [{ data: 'secre' }] },
    { payloads: [{ data: 7 }] },
    { payloads: [{ metadata: { encoding: null } }] },
    { payloads: [{ metadata: ['secret'] }] },
    { payloads: [{ externalPayloads: [{ sizeBytes: 'secret' }] }] },
    { payloads: [{ externalPayloads: [{ sizeBytes: { toString: 1 } }] }] },
    { payloads: [{ externalPayloads: [{ sizeBytes: true }] }] },
  ])
    assert.throws(
      () => parse(bad),
      (error) =>
        error instanceof CodecRequestError &&
        error.status === 400 &&
        !error.message.includes('se'.concat('cret')),
      JSON.stringify(bad),
    );
  assert.throws(() => parsePayloads(Buffer.from([0xff, 0xfe])), CodecRequestError);
});
