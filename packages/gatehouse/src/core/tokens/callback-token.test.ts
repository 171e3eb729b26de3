import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring } from '#base/crypto/token-keyring';
import { openCallbackToken, sealCallbackToken } from './callback-token.ts';

const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
const engineToken = `{"v":1,"d":"${Buffer.from('caller.acme1 workflow run').toString('base64url')}"}`;

test('a callback token comes back as the engine made it, in the namespace that received it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.uuid(), (token, namespace) => {
      assert.equal(
        openCallbackToken(keyring, namespace, sealCallbackToken(keyring, namespace, token)),
        token,
      );
    }),
  );
});

test('T-045 a callback token of another namespace, or one made by hand, does not open', () => {
  const sealed = sealCallbackToken(keyring, 'handler', engineToken);
  assert.equal(openCallbackToken(keyring, 'other', sealed), undefined);
  const forgeries = [
    '',
    engineToken,
    sealed.slice(0, -8),
    `${sealed}AAAA`,
    `${sealed}A`,
    ` ${sealed}`,
    `${sealed}\n`,
    sealed.replace('.1.', '.2.'),
    sealed.replace('.1.', '.01.'),
    sealed.replace('gatehouse-1', 'gatehouse-2'),
    'gatehouse-1.1.',
    `gatehouse-1.1.${Buffer.from(engineToken).toString('base64url')}`,
  ];
  for (const forged of forgeries) assert.equal(openCallbackToken(keyring, 'handler', forged), undefined);
});

test('T-045 a sealed callback token tells nothing of the caller that the engine wrote into it', () => {
  const sealed = sealCallbackToken(keyring, 'handler', engineToken);
  assert.match(sealed, /^[\x21-\x7e]+$/);
  const inside = Buffer.from(sealed.split('.').at(-1) ?? '', 'base64url').toString('latin1');
  for (const word of ['caller', '"v"', engineToken.slice(12, 24)]) assert.ok(!inside.includes(word), word);
});
