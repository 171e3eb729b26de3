import type { RefusalRow } from './refusal-row.ts';

/** Said of what stands behind the gateway: the engine, the audit store, the directory and what is stored in it. */
export const platformRefusals = {
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
  audit_unavailable: {
    grpc: 'UNAVAILABLE',
    http: 503,
    text: 'the call could not be recorded; retry',
    cure: 'The audit store cannot be written; an operator must look.',
    severity: 'high',
  },
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
