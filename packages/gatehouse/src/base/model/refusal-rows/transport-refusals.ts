import type { RefusalRow } from './refusal-row.ts';

/** Said of a connection, or of how a call came over it, before it is read. */
export const transportRefusals = {
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
  tls_version_refused: {
    grpc: 'UNAVAILABLE',
    http: 400,
    text: 'TLS 1.3 is required',
    cure: 'Use TLS 1.3, or let the namespace allow TLS 1.2.',
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
} as const satisfies Record<string, RefusalRow>;
