import { GrpcStatus } from './grpc-status.ts';
import { accessRefusals } from './refusal-rows/access-refusals.ts';
import { limitRefusals } from './refusal-rows/limit-refusals.ts';
import { messageRefusals } from './refusal-rows/message-refusals.ts';
import { platformRefusals } from './refusal-rows/platform-refusals.ts';
import type { RefusalRow } from './refusal-rows/refusal-row.ts';
import { sealingRefusals } from './refusal-rows/sealing-refusals.ts';
import { transportRefusals } from './refusal-rows/transport-refusals.ts';

/**
 * Every way in which Gatehouse says no. Codes are stable words, never reused: people search for them.
 * A text of `Request unauthorized.` is the engine's own wording, so a stranger cannot tell our refusals
 * from the engine's, nor an unknown namespace from a foreign one (threats.md section 1).
 */
export const refusals: RefusalTable = {
  ...transportRefusals,
  ...accessRefusals,
  ...messageRefusals,
  ...sealingRefusals,
  ...limitRefusals,
  ...platformRefusals,
};

/** As an intersection: two files that give one code do not compile. */
type RefusalTable = typeof transportRefusals &
  typeof accessRefusals &
  typeof messageRefusals &
  typeof sealingRefusals &
  typeof limitRefusals &
  typeof platformRefusals;

export type RefusalCode = keyof typeof refusals;

export interface RefusalOptions {
  /** Private: for the operator's log and the audit record's reason, never for the caller. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** Public addition to the table's text, such as a field's name. Never a value that the caller sent. */
  readonly publicDetail?: string;
}

/**
 * A no, with two faces: `message` is the public text, `detail` and `cause` are private, so whatever
 * prints or wraps it by accident leaks nothing.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly detail: string | undefined;

  constructor(code: RefusalCode, options: RefusalOptions = {}) {
    const row = refusals[code];
    super(options.publicDetail === undefined ? row.text : `${row.text}: ${options.publicDetail}`, {
      cause: options.cause,
    });
    this.name = 'Refusal';
    this.code = code;
    this.detail = options.detail;
  }

  get row(): RefusalRow {
    return refusals[this.code];
  }

  get grpcStatus(): number {
    return GrpcStatus[refusals[this.code].grpc];
  }
}

/** Makes a refusal to throw: `throw refuse('namespace_mismatch', { detail })`. */
export function refuse(code: RefusalCode, options?: RefusalOptions): Refusal {
  return new Refusal(code, options);
}

/** Anything thrown that is not a refusal is a bug of ours: the caller sees `internal error` only. */
export function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('internal', { cause: error });
}
