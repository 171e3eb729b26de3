import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { refuse } from '#base/model/refusals';
import { encode } from '#testing/grpc-client';
import { openAttribute, sealAttribute } from './sealed-attributes.ts';

const keyringOf = (namespaceUuid: string, id = '00000000000000aa') =>
  createNamespaceKeyring({ region: 'aws-local', account: 'local', namespaceUuid }, [
    { id, purpose: 'attribute', createdAtMs: 1, key: new Secret(Buffer.alloc(32, 7)) },
  ]);
const keyring = keyringOf('orders');
const unreadable = (): Error => refuse('payload_unreadable', { detail: 'it does not open' });
const reading = {
  keyring,
  sealedAttributes: ['Customer', 'Labels'],
  unreadable,
  notLoaded: (keyId: string): Error => new Error(`key ${keyId}`),
};

const payloadOf = (value: unknown): Uint8Array =>
  encode('common.v1.Payload', {
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(JSON.stringify(value)),
  });
const sealed = (name: string, value: unknown, by = keyring): Buffer => {
  const bytes = sealAttribute(by, true, name, payloadOf(value));
  assert.ok(bytes);
  return bytes;
};

test('a value opens under its own name, and in a column of the engine whichever sealed attribute it is', () => {
  for (const [name, value] of [
    ['Customer', 'Ann'],
    ['Labels', ['green', 'blue']],
  ] as const) {
    for (const shown of [name, 'Keyword01', 'Keyword10', 'KeywordList03']) {
      assert.deepEqual(
        openAttribute(reading, shown, sealed(name, value)),
        Buffer.from(payloadOf(value)),
        shown,
      );
    }
  }
});

test('T-077 moved to another attribute a value does not open, nor in a column where no sealed attribute has it', () => {
  const value = sealed('Customer', 'Ann');
  for (const name of ['Labels', 'Other', 'Keyword1', 'KeywordX01', 'MyKeyword01', 'Text01', ''])
    assert.throws(() => openAttribute(reading, name, value), { message: unreadable().message }, name);
  const fewer = { ...reading, sealedAttributes: ['Labels'] };
  assert.throws(() => openAttribute(fewer, 'Keyword01', value), { message: unreadable().message });
});

test('T-083 a column opens nothing of another namespace, with the same key or another', () => {
  const others = sealed('Customer', 'Ann', keyringOf('other'));
  assert.throws(() => openAttribute(reading, 'Keyword01', others), { message: unreadable().message });
  const unknown = sealed('Customer', 'Ann', keyringOf('other', '00000000000000bb'));
  assert.throws(() => openAttribute(reading, 'Keyword01', unknown), { message: 'key 00000000000000bb' });
});

test('an attribute that a tenant named like a column keeps its name, and what is not sealed stays as it is', () => {
  const named = { ...reading, sealedAttributes: ['Keyword01', 'Customer'] };
  const value = sealed('Keyword01', 'Ann');
  assert.deepEqual(openAttribute(named, 'Keyword01', value), Buffer.from(payloadOf('Ann')));
  assert.equal(openAttribute(reading, 'Keyword01', payloadOf('in the open')), undefined);
});
