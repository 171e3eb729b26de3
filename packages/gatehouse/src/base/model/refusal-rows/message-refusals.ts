import { type RefusalRow, UNAUTHORIZED } from './refusal-row.ts';

/** Said of what a request holds, or the reply to it. */
export const messageRefusals = {
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
} as const satisfies Record<string, RefusalRow>;
