import { openEngineSession } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import type { EngineHandle } from './engine-handle.ts';
import { UPDATE_NAMESPACE, updateRetentionRequest } from './engine-messages.ts';

const OK = 0;
const DAY_SECONDS = 24 * 60 * 60;

/**
 * Has the engine keep closed workflows of a registered namespace this long from now on.
 * @throws EngineError when the engine refuses or does not answer.
 */
export async function setRetention(
  engine: Pick<EngineHandle, 'address' | 'tls' | 'tokens'>,
  namespace: { readonly id: string; readonly retentionDays: number },
): Promise<void> {
  const session = openEngineSession(engine.address, engine.tls);
  try {
    const request = updateRetentionRequest(namespace.id, namespace.retentionDays * DAY_SECONDS);
    const { status, message } = await session.call(
      UPDATE_NAMESPACE,
      request,
      engine.tokens.mintToken('', 'system-admin'),
    );
    if (status !== OK) {
      throw new EngineError(
        `the engine did not change namespace ${namespace.id}: status ${status} ${message}`,
      );
    }
  } finally {
    session.close();
  }
}
