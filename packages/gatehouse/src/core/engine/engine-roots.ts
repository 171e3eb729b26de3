import { join } from 'node:path';
import type { EngineHome } from './engine-home.ts';

/**
 * Whether the roots that the engine's plain HTTP client trusts can be chosen: Go takes them from the environment
 * except on macOS and Windows, where it asks the system. There the engine's keys go in clear over the loopback.
 */
export const ROOTS_CAN_BE_CHOSEN: boolean = process.platform !== 'darwin' && process.platform !== 'win32';

/**
 * Makes our internal CA the engine's only root, so that it fetches our keys over TLS, and trusts no public CA
 * wherever a list of CAs were missing.
 */
export function rootsEnvironment(home: EngineHome): Readonly<Record<string, string>> {
  if (!ROOTS_CAN_BE_CHOSEN) return {};
  return {
    SSL_CERT_FILE: join(home.pki, 'internal-ca.crt'),
    // Else the folders of the system are read besides. One that is missing is no fault to Go.
    SSL_CERT_DIR: join(home.pki, 'no-other-roots'),
  };
}
