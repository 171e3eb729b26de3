import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#base/runtime/clock';
import type { EngineAddress, EngineTls } from '#core/engine/engine-call';
import type { EngineHandle, EngineState } from '#core/engine/engine-handle';
import { type CarriedKey, carryKey, receiveKey } from '#core/engine/engine-signing-keys';
import { createEngineTokens } from '#core/engine/engine-tokens';
import type { CalledEngine } from '../called-engine.ts';

/** All that a gateway process needs to call the engine that the supervisor runs or watches. */
export interface EngineFacts {
  readonly address: EngineAddress;
  readonly tls: EngineTls;
  readonly state: EngineState;
  /** The engine knows it already, so a process's first call is taken (decision 0004). */
  readonly signingKey: CarriedKey;
}

/** Gives the facts as they are; the same object as long as nothing changed. */
export function createEngineFacts(engine: EngineHandle): () => EngineFacts {
  let known: EngineFacts | undefined;
  return () => {
    const signer = engine.signingKey();
    // Two secrets compare as equal: it is the name of a key that changes with it.
    const signingKey = signer.kid === known?.signingKey.kid ? known.signingKey : carryKey(signer);
    const { address, tls } = engine;
    const facts: EngineFacts = { address, tls: { ...tls }, state: engine.state(), signingKey };
    if (known === undefined || !isDeepStrictEqual(facts, known)) known = facts;
    return known;
  };
}

/** The engine as a gateway process sees it. */
export interface ToldEngine extends CalledEngine {
  follow(facts: EngineFacts): void;
}

export function createToldEngine(first: EngineFacts, clock: Clock): ToldEngine {
  let facts = first;
  let signer = receiveKey(first.signingKey);
  return {
    get address() {
      return facts.address;
    },
    get tls() {
      return facts.tls;
    },
    tokens: createEngineTokens({ current: () => signer }, clock),
    state: () => facts.state,
    follow(next) {
      if (next.signingKey.kid !== facts.signingKey.kid) signer = receiveKey(next.signingKey);
      facts = next;
    },
  };
}
