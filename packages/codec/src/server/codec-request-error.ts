/** A request that is not answered with payloads: the status, and a sentence that may be shown to anybody. */
export class CodecRequestError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'CodecRequestError';
    this.status = status;
    this.headers = headers;
  }
}
