export type CodecErrorCode =
  /** Encrypted with a key that this process does not have: a rotation has not arrived here yet, or never will. */
  | 'unknown_key'
  /** Not what the codec once made with this key: altered, cut, or another key under the same id. */
  | 'damaged'
  /** Not encrypted at all, and the codec is strict. */
  | 'not_encrypted'
  /** Keys cannot be loaded or used as they are. */
  | 'bad_keys';

/** Longest part of a stranger's text that a message quotes. */
const QUOTED_CHARS_MAX = 100;

/**
 * What went wrong, in words that may travel: a Worker's error is stored by the Temporal Server. So neither message
 * nor cause ever holds key material, plaintext or ciphertext.
 */
export class CodecError extends Error {
  readonly code: CodecErrorCode;
  /** Of `unknown_key`: which key it is. */
  readonly keyId: string | undefined;

  constructor(code: CodecErrorCode, message: string, keyId?: string) {
    super(message);
    this.name = 'CodecError';
    this.code = code;
    this.keyId = keyId;
  }
}

/** The text of a stranger, on one line and not too long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARS_MAX ? `${text.slice(0, QUOTED_CHARS_MAX)}…` : text);
}
