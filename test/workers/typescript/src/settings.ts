/** What the program was given, and nothing else: an address, a name to expect there, and a certificate. */
import { readFileSync } from 'node:fs';

export interface Settings {
  readonly address: string;
  readonly namespace: string;
  /** Undefined: plain TCP, for trying the program against a bare server. */
  readonly tls: Tls | undefined;
}

interface Tls {
  readonly serverNameOverride: string;
  readonly serverRootCACertificate: Buffer;
  readonly clientCertPair: { readonly crt: Buffer; readonly key: Buffer };
}

/** Throws an Error that names the first variable that is missing. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const certificate = env['TEMPORAL_TLS_CERT'];
  return Object.freeze({
    address: required(env, 'TEMPORAL_ADDRESS'),
    namespace: required(env, 'TEMPORAL_NAMESPACE'),
    tls: certificate
      ? {
          serverNameOverride: required(env, 'TEMPORAL_TLS_SERVER_NAME'),
          serverRootCACertificate: readFileSync(required(env, 'TEMPORAL_TLS_CA')),
          clientCertPair: {
            crt: readFileSync(certificate),
            key: readFileSync(required(env, 'TEMPORAL_TLS_KEY')),
          },
        }
      : undefined,
  });
}

export function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new Error(`set ${name}`);
  return value;
}
