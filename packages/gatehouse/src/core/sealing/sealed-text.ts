import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';

/** Begins a text that stands for a sealed one, where the engine takes nothing but text. */
const PREFIX = 'gatehouse.sealed.';
const WHOLE = /^gatehouse\.sealed\.([A-Za-z0-9_-]+)$/;

/** A text that says the same to nobody but the gateway. */
export function sealText(keyring: NamespaceKeyring, text: string): string {
  const plaintext = Buffer.from(text, 'utf8');
  const box = Buffer.allocUnsafe(keyring.sealedLength(plaintext.length));
  keyring.sealInto('text', plaintext, box, 0);
  return `${PREFIX}${box.toString('base64url')}`;
}

export function looksSealedText(text: string): boolean {
  return text.includes(PREFIX);
}

/**
 * A sealed text, opened by `open`; any other as it is. Only where it is the whole text, as the engine passes it
 * on: its own errors repeat names that callers chose, and none of those may ever be opened (T-079).
 */
export function openText(text: string, open: (box: Buffer) => string): string {
  const box = WHOLE.exec(text)?.[1];
  return box === undefined ? text : open(Buffer.from(box, 'base64url'));
}
