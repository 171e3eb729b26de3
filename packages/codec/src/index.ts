export { CodecError, type CodecErrorCode } from './codec-error.ts';
export type { CodecKey, KeyProvider } from './codec-keys.ts';
export { type EncryptedDataConverter, encryptedDataConverter } from './encrypted-data-converter.ts';
export {
  type EncryptionCodec,
  type EncryptionCodecOptions,
  openEncryptionCodec,
} from './encryption-codec.ts';
export {
  type KeyFileOptions,
  keysFromEnvironment,
  keysFromFile,
  keysFromText,
  type UnwrapKey,
  wrappedKeys,
} from './key-sources.ts';
export type { ExternalPayloadDetails, Payload, PayloadCodec } from './payload.ts';
