import type { Principal } from '#base/model/principal';
import { type Refusal, refuse } from '#base/model/refusals';
import { accessOf } from './method-access.ts';

/** The role that the engine's token for a call names. */
export type EngineRole = 'read' | 'write';

/**
 * Leave to make one call. Only `decide` can make one, and only what holds one can reach the engine: a
 * look-alike object does not compile.
 */
class Permit {
  // The private field makes the type nominal.
  readonly #made = true;
  readonly principal: Principal;
  readonly path: string;
  /** Who answers: the engine, under this role, or the gateway itself. */
  readonly served: EngineRole | 'gateway';

  constructor(principal: Principal, path: string, served: EngineRole | 'gateway') {
    this.principal = principal;
    this.path = path;
    this.served = served;
  }

  static holds(value: unknown): value is Permit {
    return typeof value === 'object' && value !== null && #made in value;
  }
}

export type { Permit };

export interface AccessSettings {
  readonly nexusEnabled: boolean;
}

/**
 * May this principal make this call in its own namespace? Pure. A client certificate acts with read and
 * write on its namespace's data plane, as in Temporal Cloud.
 */
export function decide(principal: Principal, path: string, settings: AccessSettings): Permit | Refusal {
  switch (accessOf(path)) {
    case undefined:
      return refuse('method_unknown', { detail: 'the method is in no table' });
    case 'never':
      return refuse('method_denied', { detail: 'the method is not open to tenants' });
    case 'off':
      return refuse('feature_disabled');
    case 'nexus':
      return settings.nexusEnabled ? new Permit(principal, path, 'write') : refuse('nexus_disabled');
    case 'gateway':
      return new Permit(principal, path, 'gateway');
    case 'read':
      return new Permit(principal, path, 'read');
    case 'write':
      return new Permit(principal, path, 'write');
  }
}
