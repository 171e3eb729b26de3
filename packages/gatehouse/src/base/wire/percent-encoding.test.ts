import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeGrpcMessage, encodeGrpcMessage } from './percent-encoding.ts';

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
);

test('every text comes back from a grpc-message', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(decodeGrpcMessage(encodeGrpcMessage(text)), text);
    }),
  );
});

test('a grpc-message is printable ASCII, whatever the text: it cannot end a header or begin another', () => {
  fc.assert(
    fc.property(fc.oneof(texts, fc.string({ unit: 'binary-ascii' })), (text) => {
      assert.match(encodeGrpcMessage(text), /^(?:[\x20-\x24\x26-\x7e]|%[0-9A-F]{2})*$/);
    }),
  );
  assert.equal(encodeGrpcMessage('a\r\ngrpc-status: 0'), 'a%0D%0Agrpc-status: 0');
});

test('plain text is sent as it is, and only what must be is escaped', () => {
  assert.equal(encodeGrpcMessage(''), '');
  assert.equal(encodeGrpcMessage('Request unauthorized.'), 'Request unauthorized.');
  assert.equal(encodeGrpcMessage('100 % ñ\t\x7f'), '100 %25 %C3%B1%09%7F');
  // Half a character is no text: it is replaced, as everywhere in the runtime.
  assert.equal(encodeGrpcMessage('\ud800'), '%EF%BF%BD');
});

test('a grpc-message with bad escapes is kept as it came', () => {
  for (const text of ['100%', '%zz', '%c3', '%ff%fe', 'a%2', '%'])
    assert.equal(decodeGrpcMessage(text), text);
  assert.equal(decodeGrpcMessage('%c3%b1'), 'ñ');
});
