import { type RefusalRow, UNAUTHORIZED } from './refusal-row.ts';

/** Said of who calls, and of what this caller may call at all. */
export const accessRefusals = {
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
} as const satisfies Record<string, RefusalRow>;
