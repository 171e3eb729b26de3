import { aadOf } from '#base/crypto/aead';
import type { TokenKeyring } from '#base/crypto/token-keyring';

// Format: prefix, key id, sealed text of the engine. Headers carry it, so it is all ASCII.
const PREFIX = 'gatehouse-1';
const FORM = /^gatehouse-1\.([1-9]\d{0,4})\.([A-Za-z0-9_-]+)$/;

function scope(namespaceUuid: string): Buffer {
  return aadOf('nexus-callback', namespaceUuid);
}

/**
 * Seals the engine's Nexus callback token for the namespace that receives it. The engine signs nothing: who
 * holds its own token can complete the operation of whatever namespace he writes into it (T-045). Sealed, not
 * only bound, since it names the caller's namespace, workflow and run.
 * @param namespaceUuid the incarnation of the namespace whose Worker is handed the token.
 */
export function sealCallbackToken(keyring: TokenKeyring, namespaceUuid: string, token: string): string {
  const key = keyring.current.id;
  const box = keyring.seal(key, scope(namespaceUuid), Buffer.from(token, 'utf8'));
  return `${PREFIX}.${key}.${box.toString('base64url')}`;
}

/** The engine's own token, or `undefined` for all that was not sealed for this namespace, or too long ago. */
export function openCallbackToken(
  keyring: TokenKeyring,
  namespaceUuid: string,
  sealed: string,
): string | undefined {
  const [, key, box] = FORM.exec(sealed) ?? [];
  if (key === undefined || box === undefined) return undefined;
  const bytes = Buffer.from(box, 'base64url');
  // The decoder skips bits and letters that make no byte: one text for one token.
  if (bytes.toString('base64url') !== box) return undefined;
  return keyring.open(Number(key), scope(namespaceUuid), bytes)?.toString('utf8');
}
