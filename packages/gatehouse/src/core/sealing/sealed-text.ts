import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';

/** Begins a text that stands for a sealed one, where the engine takes nothing but text. */
const PREFIX = 'gatehouse.sealed.';
const PATTERN = /gatehouse\.sealed\.([A-Za-z0-9_-]+)/g;

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

/** The text with every sealed part of it opened by `open`. */
export function openTexts(text: string, open: (box: Buffer) => string): string {
  if (!looksSealedText(text)) return text;
  return text.replaceAll(PATTERN, (_, box: string) => open(Buffer.from(box, 'base64url')));
}
