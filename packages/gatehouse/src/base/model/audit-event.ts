/** What is written for every call, every refused connection and every change. Field order is the file's order. */
export interface AuditEvent {
  readonly kind: 'call' | 'connection' | 'admin' | 'system';
  /** Wall clock, Unix milliseconds. */
  readonly timeMs: number;
  readonly requestId: string;
  readonly connectionId: string;
  /** Who: `certificate:<fingerprint>` or `anonymous`. */
  readonly principal: string;
  /** The credential's id: certificate issuer and serial. Never the credential. */
  readonly credential: string;
  /** The namespace of the connection, or empty where none could be told. */
  readonly namespace: string;
  /** `Service/Method` for calls, a verb for changes. Folded to `other` where it is in no table. */
  readonly method: string;
  readonly outcome: 'ok' | 'refused' | 'error' | 'cancelled' | 'unknown';
  /** gRPC status of the answer; -1 where none was given. */
  readonly status: number;
  /** A refusal code, or a stable word. */
  readonly reason: string;
  readonly severity: 'low' | 'medium' | 'high';
  readonly peer: string;
  /** Private endpoint id, or empty. */
  readonly endpoint: string;
  readonly durationMs: number;
  /** How many alike events this one stands for (refusals may be folded, never dropped). */
  readonly count: number;
  /** Short, private, without payloads or secrets. */
  readonly detail: string;
}
