/** Where one subject takes calls, and as whom the load speaks to it. */
export interface Target {
  readonly name: string;
  readonly port: number;
  /** Name sent in SNI and checked in the certificate. */
  readonly serverName: string;
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly namespace: string;
  /** Value of the `authorization` header; only where the load itself must prove who it is to the engine. */
  readonly authorization?: string;
  /** Size of the payload that each call carries: so small that the whole call has about 300 bytes, if not given. */
  readonly payloadBytes?: number;
}

/** What the load process is told. One command at a time; each is answered by one `LoadReply`. */
export type LoadCommand =
  | { readonly kind: 'open'; readonly target: Target; readonly connections: number }
  | { readonly kind: 'run'; readonly target: Target; readonly concurrency: number; readonly calls: number }
  | { readonly kind: 'park'; readonly target: Target; readonly pollsPerConnection: number }
  | { readonly kind: 'handshakes'; readonly target: Target; readonly count: number }
  | {
      readonly kind: 'workflows';
      readonly target: Target;
      readonly count: number;
      readonly concurrency: number;
    }
  | { readonly kind: 'close'; readonly target: Target };

/** What a fixed number of calls took, seen from the client's side. */
export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type LoadReply = { readonly result?: LoadResult } | { readonly error: string };
