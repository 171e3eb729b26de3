import type { GrpcStatusName } from '../grpc-status.ts';

/** One row of the refusal table. `text` is public: it may name a field or a setting, never a value. */
export interface RefusalRow {
  readonly grpc: GrpcStatusName;
  readonly http: number;
  readonly text: string;
  /** What the reader of the answer should change. Printed in docs/refusals.md. */
  readonly cure: string;
  readonly severity: 'low' | 'medium' | 'high';
  /** A limit of the caller's own: the cause that SDKs are told, so that they back off and come again. */
  readonly exhausted?: 'RPS_LIMIT' | 'CONCURRENT_LIMIT';
}

/** The engine's own words for a no: a stranger cannot tell ours from its. */
export const UNAUTHORIZED = 'Request unauthorized.';
