/** The engine could not be found, started or trusted. `message` says what is wrong and what to do about it. */
export class EngineError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'EngineError';
  }
}

/** A binary is not the one that was recorded, or anybody may replace it: waiting will not mend it (T-097). */
export class TamperedBinaryError extends EngineError {
  constructor(message: string) {
    super(message);
    this.name = 'TamperedBinaryError';
  }
}
