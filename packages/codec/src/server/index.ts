export type { CodecLimits, RequestReport } from './answering.ts';
export type { ServedCodec } from './apply-codec.ts';
export type { Authorization, AuthorizationRequest, Authorize, CodecOperation } from './authorize.ts';
export { authorizeToken, type TokenSettings } from './authorize-token.ts';
export { type CodecServer, type CodecServerOptions, createCodecServer } from './codec-server.ts';
export {
  type ListeningCodecServer,
  type ListenOptions,
  type ServerCertificate,
  startCodecServer,
} from './start-codec-server.ts';
