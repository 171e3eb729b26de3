/** What the codec server is asked for; the last element of the path. */
export type CodecOperation = 'encode' | 'decode';

/** Who asks for what, before a byte of the body is read. */
export interface AuthorizationRequest {
  readonly operation: CodecOperation;
  /** Of the header `X-Namespace`. */
  readonly namespace: string | undefined;
  /** A header by its name in small letters. */
  header(name: string): string | undefined;
}

export type Authorization =
  /** `subject` goes to the log: who read what. */
  | { readonly outcome: 'permitted'; readonly subject?: string }
  /** Nobody that we know: 401. */
  | { readonly outcome: 'unauthenticated'; readonly reason: string }
  /** Known, and not for this: 403. */
  | { readonly outcome: 'forbidden'; readonly reason: string };

/** Decides who may encode and decode. Where it throws, nobody may (503). `reason` is for the log alone. */
export type Authorize = (request: AuthorizationRequest) => Promise<Authorization>;
