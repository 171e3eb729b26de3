import type { RefusalRow } from './refusal-row.ts';

/** Said where payloads, attributes and filters are sealed and opened. */
export const sealingRefusals = {
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
} as const satisfies Record<string, RefusalRow>;
