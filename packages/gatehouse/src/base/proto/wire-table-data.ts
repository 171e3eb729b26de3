/** The generated form: rows of [name, ...[number, kind, repeated, role, ordinal, child]]. */
export interface WireTableData {
  readonly methods: readonly (readonly [string, string, number, number])[];
  readonly request: readonly (readonly [string, ...(readonly number[])[]])[];
  readonly requestAny: readonly (readonly [string, number])[];
  readonly response: readonly (readonly [string, ...(readonly number[])[]])[];
  readonly responseAny: readonly (readonly [string, number])[];
  /** Index in `response` of google.rpc.Status. */
  readonly status: number;
}
