import type { Refusal } from '#base/model/refusals';
import { type QueryToken, queryFault } from './query-tokens.ts';

/** A position among the tokens of a query. */
export class TokenReader {
  readonly #tokens: readonly QueryToken[];
  #at = 0;

  /** @param tokens with their `end`, which is never passed. */
  constructor(tokens: readonly QueryToken[]) {
    this.#tokens = tokens;
  }

  get next(): QueryToken {
    return this.#peek(0);
  }

  /** Where the token ends that was taken last. */
  get lastEnd(): number {
    return this.#peek(-1).end;
  }

  take(): QueryToken {
    const token = this.next;
    this.#at += 1;
    return token;
  }

  takeSymbol(symbol: string): boolean {
    const found = this.next.kind === 'symbol' && this.next.text === symbol;
    if (found) this.#at += 1;
    return found;
  }

  isWord(word: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'word' && token.text.toLowerCase() === word;
  }

  /** Takes these words if all of them come next. @param words in small letters. */
  takeWords(...words: readonly string[]): boolean {
    const found = words.every((word, ahead) => this.isWord(word, ahead));
    if (found) this.#at += words.length;
    return found;
  }

  /** A refusal that names the place of the next token. */
  fault(what: string): Refusal {
    return queryFault(what, this.next.start);
  }

  #peek(ahead: number): QueryToken {
    const token = this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new RangeError('tokens of a query are never empty');
    return token;
  }
}
