import { GrpcStatus, type GrpcStatusName } from './grpc-status.ts';

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

const UNAUTHORIZED = 'Request unauthorized.';

/**
 * Every way in which Gatehouse says no. Codes are stable words, never reused: people search for them.
 * A text of `Request unauthorized.` is the engine's own wording, so a stranger cannot tell our refusals
 * from the engine's, nor an unknown namespace from a foreign one (threats.md section 1).
 */
export const refusals = {
  // wire
  sni_unknown: {
    grpc: 'UNAVAILABLE',
    http: 421,
    text: 'unknown server name',
    cure: 'Use the TLS server name `<namespace>.<account>.<domain>` shown for your namespace.',
    severity: 'low',
  },
  tls_handshake_failed: {
    grpc: 'UNAVAILABLE',
    http: 400,
    text: 'TLS handshake failed',
    cure: 'Use TLS 1.3 and the server name of your namespace; `gatehouse doctor` explains a certificate.',
    severity: 'low',
  },
  alpn_missing: {
    grpc: 'UNAVAILABLE',
    http: 400,
    text: 'the gRPC endpoint speaks HTTP/2 only',
    cure: 'Use a gRPC client, or the HTTPS endpoint for HTTP/1.1.',
    severity: 'low',
  },
  handshake_timeout: {
    grpc: 'UNAVAILABLE',
    http: 408,
    text: 'TLS handshake took too long',
    cure: 'Complete the handshake within the limit.',
    severity: 'low',
  },
  frame_malformed: {
    grpc: 'INTERNAL',
    http: 400,
    text: 'malformed gRPC frame',
    cure: 'Send exactly one complete gRPC message per unary call.',
    severity: 'low',
  },
  message_too_large: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 413,
    text: 'grpc: received message larger than max',
    cure: 'Keep requests within 4 MiB.',
    severity: 'low',
  },
  encoding_unknown: {
    grpc: 'UNIMPLEMENTED',
    http: 415,
    text: 'grpc: Decompressor is not installed for the grpc-encoding used',
    cure: 'Send identity or gzip.',
    severity: 'low',
  },
  content_type_unknown: {
    grpc: 'INTERNAL',
    http: 415,
    text: 'unsupported content-type',
    cure: 'Send application/grpc.',
    severity: 'low',
  },
  timeout_malformed: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'malformed grpc-timeout',
    cure: 'Send grpc-timeout as 1 to 8 digits and a unit of H, M, S, m, u or n.',
    severity: 'low',
  },
  header_ambiguous: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'a request header was sent more than once or in a form that is not accepted',
    cure: 'Send temporal-namespace and authorization at most once, as plain text.',
    severity: 'medium',
  },
  message_malformed: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'malformed protobuf message',
    cure: 'Encode the request with the published Temporal API.',
    severity: 'medium',
  },
  field_unknown: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the request holds a field that this gateway does not know; upgrade the gateway',
    cure: 'Upgrade the gateway, or use a client of the same API version.',
    severity: 'medium',
  },

  tls_version_refused: {
    grpc: 'UNAVAILABLE',
    http: 400,
    text: 'TLS 1.3 is required',
    cure: 'Use TLS 1.3, or let the namespace allow TLS 1.2.',
    severity: 'low',
  },

  // identify
  certificate_missing: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    text: 'a client certificate is required',
    cure: 'Present a certificate signed by a CA of the namespace.',
    severity: 'medium',
  },
  certificate_not_admitted: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: "The certificate does not chain to the namespace's CA bundle; see `gatehouse doctor`.",
    severity: 'medium',
  },
  certificate_filter_mismatch: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'The certificate passes no certificate filter of the namespace.',
    severity: 'medium',
  },
  certificate_expired: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    text: 'the client certificate has expired',
    cure: 'Renew the certificate and reconnect.',
    severity: 'medium',
  },
  namespace_unknown: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'No such namespace, or it is not yours.',
    severity: 'medium',
  },
  namespace_mismatch: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'SNI, the temporal-namespace header and every namespace inside the message must be the same namespace id.',
    severity: 'medium',
  },
  namespace_suspended: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'The namespace is suspended; ask the platform team.',
    severity: 'medium',
  },

  // authorize
  method_unknown: {
    grpc: 'UNIMPLEMENTED',
    http: 404,
    text: 'unknown method',
    cure: 'Only WorkflowService, health and reflection are served here.',
    severity: 'medium',
  },
  method_denied: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'This method is not open to this caller.',
    severity: 'medium',
  },
  nexus_disabled: {
    grpc: 'UNIMPLEMENTED',
    http: 501,
    text: 'Nexus is off on this platform; the operator can set engine.nexus.enabled',
    cure: 'Ask the operator to set engine.nexus.enabled.',
    severity: 'low',
  },
  feature_disabled: {
    grpc: 'UNIMPLEMENTED',
    http: 501,
    text: 'this method is off on this platform',
    cure: 'The engine feature behind this method is switched off.',
    severity: 'low',
  },

  // transform
  token_foreign: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'Operation requested with a token from a different namespace.',
    cure: 'Use a token only in the namespace and for the method that gave it.',
    severity: 'high',
  },
  reserved_name: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    text: UNAUTHORIZED,
    cure: 'Names that begin with temporal-sys-, /_sys/ or Temporal are reserved for the engine.',
    severity: 'high',
  },
  callback_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'completion callbacks are not accepted here',
    cure: 'Only callbacks that this gateway handed out are accepted.',
    severity: 'high',
  },
  field_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the request sets a field that is not open to tenants',
    cure: 'Leave cluster-level fields empty.',
    severity: 'medium',
  },
  reply_withheld: {
    grpc: 'INTERNAL',
    http: 500,
    text: 'internal error',
    cure: "The engine's answer named another namespace and was withheld; tell the platform team the request id.",
    severity: 'high',
  },

  query_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the visibility query is not accepted',
    cure: 'Shorten the query, leave out comments, and put names that are words of SQL in backticks.',
    severity: 'medium',
  },

  // sealing
  payload_unreadable: {
    grpc: 'DATA_LOSS',
    http: 500,
    text: 'a stored payload could not be opened',
    cure: 'Give the request id to the operator: the data was changed or moved in the store, or its key is gone.',
    severity: 'high',
  },
  encryption_unavailable: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: "the namespace's encryption key cannot be reached; try again",
    cure: 'Retry. The operator finds the reason in the log: the KMS is down, or throttles.',
    severity: 'medium',
  },
  encryption_key_disabled: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: "the namespace's encryption key is disabled in its KMS",
    cure: 'Enable the key again in the KMS, or restore it; calls go on within minutes.',
    severity: 'high',
  },
  namespace_erased: {
    grpc: 'FAILED_PRECONDITION',
    http: 410,
    text: "the namespace's data was erased: its encryption key is destroyed",
    cure: 'Nothing brings the data back. Make a new namespace.',
    severity: 'high',
  },
  plaintext_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'this namespace requires client-side encryption, and the request holds plaintext',
    cure: 'Give every Worker and client the payload codec (and `encodeCommonAttributes` for failures), or let the operator allow the place.',
    severity: 'medium',
  },
  payload_reserved: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the payload encoding binary/gatehouse is reserved',
    cure: 'Use another `encoding` in the metadata of the payload.',
    severity: 'medium',
  },
  attribute_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the value of a sealed search attribute is not accepted',
    cure: 'A sealed attribute takes text, or a list of texts, of at most 152 bytes each.',
    severity: 'low',
  },
  filter_refused: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the visibility query asks a sealed search attribute what it cannot answer',
    cure: 'Sealed attributes answer =, !=, IN, NOT IN and IS NULL. Use these, or let the operator unseal the attribute.',
    severity: 'low',
  },

  // limits
  namespace_rate_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'namespace rate limit exceeded',
    cure: 'Call less often, or let the operator raise `callsPerSecond` (for lists `visibilityPerSecond`, for versions of Workers `managementPerSecond`) in the `limits` of the namespace. SDKs retry by themselves.',
    severity: 'low',
    exhausted: 'RPS_LIMIT',
  },
  namespace_poller_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'namespace concurrent poller limit exceeded',
    cure: 'Run fewer pollers, queries or updates at once, or let the operator raise `polls` or `waits` in the `limits` of the namespace.',
    severity: 'low',
    exhausted: 'CONCURRENT_LIMIT',
  },
  namespace_memory_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'too many bytes in flight in this namespace',
    cure: 'Send fewer large messages at once and read replies as they come, or let the operator raise `requestMebibytes` or `replyMebibytes` in the `limits` of the namespace.',
    severity: 'low',
    exhausted: 'CONCURRENT_LIMIT',
  },
  connection_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'too many connections',
    cure: 'Reuse connections: one per process is enough. Or let the operator raise `connections` in the `limits` of the namespace. The connection is closed after its handshake.',
    severity: 'medium',
  },
  handshake_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'too many new connections from this address',
    cure: 'Reuse connections, or let the operator raise `limits.source`. The connection is reset before its handshake.',
    severity: 'medium',
  },
  stream_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'too many calls in flight on this connection',
    cure: 'Open fewer concurrent calls.',
    severity: 'low',
    exhausted: 'CONCURRENT_LIMIT',
  },
  memory_limit: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    text: 'too many bytes in flight on this connection',
    cure: 'Send fewer large messages at once.',
    severity: 'low',
    exhausted: 'CONCURRENT_LIMIT',
  },

  // relay
  engine_unavailable: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the workflow engine is not available; retry',
    cure: 'Retry with backoff.',
    severity: 'low',
  },
  engine_refused_gateway: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the workflow engine is not available; retry',
    cure: "The engine refused the gateway's own token: an operator must look.",
    severity: 'high',
  },
  deadline_exceeded: {
    grpc: 'DEADLINE_EXCEEDED',
    http: 504,
    text: 'context deadline exceeded',
    cure: 'Give the call more time.',
    severity: 'low',
  },
  cancelled: {
    grpc: 'CANCELLED',
    http: 499,
    text: 'context canceled',
    cure: 'The caller went away.',
    severity: 'low',
  },
  draining: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the gateway is shutting down; retry on a new connection',
    cure: 'Reconnect.',
    severity: 'low',
  },

  // record
  audit_unavailable: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the call could not be recorded; retry',
    cure: 'The audit store cannot be written; an operator must look.',
    severity: 'high',
  },

  // certificates and directory input
  ca_bundle_invalid: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the CA bundle is not acceptable',
    cure: 'See the detail of the entry named.',
    severity: 'low',
  },
  certificate_filter_invalid: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'the certificate filters are not acceptable',
    cure: 'See the detail of the filter named.',
    severity: 'low',
  },
  input_invalid: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    text: 'invalid input',
    cure: 'See the message.',
    severity: 'low',
  },
  directory_unavailable: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the directory is not available; retry',
    cure: 'Changes need the database; the data plane goes on without it.',
    severity: 'medium',
  },

  internal: {
    grpc: 'INTERNAL',
    http: 500,
    text: 'internal error',
    cure: 'Tell the platform team the request id.',
    severity: 'high',
  },
} as const satisfies Record<string, RefusalRow>;

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
