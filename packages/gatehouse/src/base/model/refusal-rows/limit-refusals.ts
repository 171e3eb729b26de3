import type { RefusalRow } from './refusal-row.ts';

/** Said where a limit is reached: of a namespace, an address or a connection. */
export const limitRefusals = {
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
} as const satisfies Record<string, RefusalRow>;
