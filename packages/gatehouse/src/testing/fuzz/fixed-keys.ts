import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKeyring } from '#base/crypto/token-keyring';

/** Keys that are the same in every run, so that what is kept of one opens in the next. */
export function fixedKeyring(letter: 'a' | 'b'): NamespaceKeyring {
  const scope = { region: 'aws-local', account: 'acme1', namespaceUuid: `${letter}-incarnation` };
  return createNamespaceKeyring(scope, [
    { id: letter.repeat(16), purpose: 'payload', createdAtMs: 1, key: keyOf(`${letter} payload`) },
    { id: `${letter.repeat(15)}0`, purpose: 'attribute', createdAtMs: 1, key: keyOf(`${letter} attribute`) },
  ]);
}

export const fixedTokenKeys: TokenKeyring = createTokenKeyring([
  { id: 1, createdAtMs: 0, key: keyOf('tokens') },
]);

function keyOf(name: string): Secret {
  return new Secret(Buffer.alloc(32, name));
}
