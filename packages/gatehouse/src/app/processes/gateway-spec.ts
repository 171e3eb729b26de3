import { Secret } from '#base/crypto/secret';
import type { PlatformLimits } from '#base/model/limits';
import type { DatabaseOptions } from '#base/store/database/database';
import type { ServerIdentity } from '#base/wire/tls-listener';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';
import type { KmsSpecs } from '../kms-keys.ts';
import type { KeyLives } from '../open-sealing.ts';
import type { EngineFacts } from './engine-facts.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a gateway process is: all of the platform's description that its calls depend on. */
export interface GatewaySpec {
  /** Its place, from 1: whose audit chain it goes on with. */
  readonly slot: number;
  /** Root of the home. */
  readonly home: string;
  readonly domain: string;
  readonly region: string;
  readonly database: DatabaseOptions;
  readonly kms: KmsSpecs;
  readonly keyLives: KeyLives;
  readonly nexusEnabled: boolean;
  readonly nexusEndpoints: readonly NexusEndpoint[];
  /** Where the supervisor accepts the connections. */
  readonly grpc: Address;
  readonly https?: Address;
  readonly identity: ServerIdentity;
  readonly allowTls12: boolean;
  readonly limits: PlatformLimits;
  readonly engine: EngineFacts;
}

/** The name under which a secret's bytes travel. No key of a description is called so. */
const MARK = '$secret';

/**
 * As text, with its secrets: for the pipe between the supervisor and its process and for nothing else. A
 * configuration is carried whole rather than read again, so that a process that comes later serves what the
 * others serve, whatever has become of the files meanwhile.
 */
export function writeSpec(spec: GatewaySpec): string {
  return JSON.stringify(spec, function (this: Record<string, unknown>, key, value: unknown) {
    const raw = this[key];
    return raw instanceof Secret ? { [MARK]: raw.reveal().toString('base64') } : value;
  });
}

/** @param text what `writeSpec` wrote. */
export function readSpec(text: string): GatewaySpec {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(MARK in value)) return value;
    return new Secret(Buffer.from(String(value[MARK]), 'base64'));
  }) as GatewaySpec;
}
