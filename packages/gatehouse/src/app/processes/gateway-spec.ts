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

/**
 * What a gateway process is: all of the platform's description that its calls depend on. Carried whole rather than
 * read again, so that a process that comes later serves what the others serve, whatever has become of the files
 * meanwhile.
 */
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
