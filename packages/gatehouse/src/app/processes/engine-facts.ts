import type { Clock } from '#base/runtime/clock';
import type { EngineAddress, EngineTls } from '#core/engine/engine-call';
import type { EngineHandle, EngineState } from '#core/engine/engine-handle';
import { type CarriedKey, carryKey, receiveKey, type TokenSigner } from '#core/engine/engine-signing-keys';
import { createEngineTokens, type EngineTokens } from '#core/engine/engine-tokens';

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
  let signer: TokenSigner | undefined;
  let known: { readonly text: string; readonly facts: EngineFacts } | undefined;
  let carried: CarriedKey | undefined;
  return () => {
    const current = engine.signingKey();
    if (carried === undefined || current !== signer) {
      signer = current;
      carried = carryKey(current);
    }
    const { address, tls } = engine;
    const facts: EngineFacts = { address, tls: { ...tls }, state: engine.state(), signingKey: carried };
    const text = JSON.stringify(facts);
    if (text !== known?.text) known = { text, facts };
    return known.facts;
  };
}

/** The engine as a gateway process sees it. */
export interface ToldEngine {
  readonly tokens: EngineTokens;
  facts(): EngineFacts;
  follow(facts: EngineFacts): void;
}

export function createToldEngine(first: EngineFacts, clock: Clock): ToldEngine {
  let facts = first;
  let signer = receiveKey(first.signingKey);
  return {
    tokens: createEngineTokens({ current: () => signer }, clock),
    facts: () => facts,
    follow(next) {
      if (next.signingKey.kid !== facts.signingKey.kid) signer = receiveKey(next.signingKey);
      facts = next;
    },
  };
}
