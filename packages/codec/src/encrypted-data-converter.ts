import { failureConverterPath } from '../failure-converter-path.cjs';
import {
  type EncryptionCodec,
  type EncryptionCodecOptions,
  openEncryptionCodec,
} from './encryption-codec.ts';

/** What the SDK's `dataConverter` option takes. */
export interface EncryptedDataConverter {
  payloadCodecs: [EncryptionCodec];
  failureConverterPath: string;
}

/**
 * The `dataConverter` for Workers and clients: payloads are encrypted, and so are message and stack trace of every
 * failure. Codecs run outside the Workflow sandbox; the failure converter runs inside and needs nothing that is
 * forbidden there. A Workflow bundle that you build yourself must be given the same `failureConverterPath`.
 * @throws CodecError `bad_keys`; whatever the provider of the keys throws.
 */
export async function encryptedDataConverter(
  options: EncryptionCodecOptions,
): Promise<EncryptedDataConverter> {
  return { payloadCodecs: [await openEncryptionCodec(options)], failureConverterPath };
}
