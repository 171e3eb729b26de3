/**
 * One value on its way to or from the Temporal Server: `temporal.api.common.v1.Payload`. Of the same shape as the
 * SDK's type, so that this package needs no other to be compiled.
 */
export interface Payload {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
  externalPayloads?: ExternalPayloadDetails[] | null;
}

/** Says that the value itself lies in a store of the customer's. */
export interface ExternalPayloadDetails {
  /** A number, a bigint, or the SDK's `Long`. */
  sizeBytes?: unknown;
}

/**
 * The SDK's `PayloadCodec`. The type parameter is there so that a codec of this package is one of the SDK's, whose
 * `Payload` says more of `sizeBytes`.
 */
export interface PayloadCodec {
  encode<P extends Payload>(payloads: P[]): Promise<P[]>;
  decode<P extends Payload>(payloads: P[]): Promise<P[]>;
}

/** Metadata key of the SDKs: says how `data` is to be read. */
export const ENCODING_KEY = 'encoding';
