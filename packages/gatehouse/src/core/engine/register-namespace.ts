import { type EngineAddress, type EngineAnswer, type EngineTls, openEngineSession } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import {
  COUNT_WORKFLOWS,
  DESCRIBE_NAMESPACE,
  namespaceRequest,
  REGISTER_NAMESPACE,
  readNamespaceId,
  registerNamespaceRequest,
} from './engine-messages.ts';
import type { EngineTokens } from './engine-tokens.ts';

const OK = 0;
const ALREADY_EXISTS = 6;
const DAY_SECONDS = 24 * 60 * 60;
/** The engine's own cache of namespaces refreshes every 2 s; five times that is a fault. */
const USABLE_LIMIT_MS = 10_000;

/**
 * Registers a namespace under its public id, or finds it registered, and waits until calls reach it. The
 * retention of one that exists is left as it is.
 * @returns the engine's own id of the namespace, and whether it was there before.
 * @throws EngineError when the engine refuses or does not answer.
 */
export async function registerNamespace(
  engine: { readonly address: EngineAddress; readonly tls: EngineTls; readonly tokens: EngineTokens },
  namespace: { readonly id: string; readonly retentionDays: number },
): Promise<{ readonly engineId: string; readonly existed: boolean }> {
  const session = openEngineSession(engine.address, engine.tls);
  try {
    const system = (): string => engine.tokens.mintToken('', 'system-admin');
    const request = registerNamespaceRequest(namespace.id, namespace.retentionDays * DAY_SECONDS);
    const registered = await session.call(REGISTER_NAMESPACE, request, system());
    if (registered.status !== OK && registered.status !== ALREADY_EXISTS) {
      throw fault('register', namespace.id, registered);
    }
    const described = await session.call(DESCRIBE_NAMESPACE, namespaceRequest(namespace.id), system());
    const engineId = described.status === OK ? readNamespaceId(described.body) : undefined;
    if (engineId === undefined) throw fault('describe', namespace.id, described);
    await waitUntilUsable(namespace.id, () =>
      session.call(
        COUNT_WORKFLOWS,
        namespaceRequest(namespace.id),
        engine.tokens.mintToken(namespace.id, 'read'),
      ),
    );
    return { engineId, existed: registered.status === ALREADY_EXISTS };
  } finally {
    session.close();
  }
}

async function waitUntilUsable(id: string, count: () => Promise<EngineAnswer>): Promise<void> {
  const endsAt = performance.now() + USABLE_LIMIT_MS;
  for (;;) {
    const answer = await count();
    if (answer.status === OK) return;
    if (performance.now() >= endsAt) throw fault('reach', id, answer);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function fault(verb: string, id: string, answer: EngineAnswer): EngineError {
  return new EngineError(
    `the engine did not ${verb} namespace ${id}: status ${answer.status} ${answer.message}`,
  );
}
