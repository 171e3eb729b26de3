import type { ByteSource } from './byte-source.ts';

/** What is sealed, and what a stranger does to it afterwards. */
export interface Tampering {
  readonly plaintext: Buffer;
  /** What he has besides; also put behind what was sealed. */
  readonly rest: Buffer;
  /** Puts the rest behind it, and changes one byte of the whole; where there is neither, it stays as it is. */
  readonly tamper: (sealed: Uint8Array) => Buffer;
}

/** Takes all that is left of an input. */
export function tamperingOf(source: ByteSource): Tampering {
  const at = source.number();
  const change = source.byte();
  const plaintext = source.piece();
  const rest = source.rest();
  return { plaintext, rest, tamper: (sealed) => changeByte(Buffer.concat([sealed, rest]), at, change) };
}

/** A copy in which one byte differs in these bits. @param at counted round and round. */
export function changeByte(bytes: Buffer, at: number, change: number): Buffer {
  const changed = Buffer.from(bytes);
  const place = at % changed.length;
  changed[place] = (changed[place] ?? 0) ^ change;
  return changed;
}

/**
 * What was sealed opens, as what it was, and nothing else does.
 * @param isSame it is what was sealed, opened with the same words.
 * @throws Error that says what is not so.
 */
export function checkOpened(opened: Uint8Array | undefined, isSame: boolean, plaintext: Buffer): void {
  if (isSame !== (opened !== undefined))
    throw new Error(isSame ? 'it does not open' : 'a tampered one opens');
  if (opened !== undefined && !plaintext.equals(opened)) throw new Error('another plaintext comes back');
}
