import type { Clock } from '#base/runtime/clock';
import type { AuditWriter } from '#core/audit/audit-writer';
import type { EngineHandle } from '#core/engine/engine-handle';
import { type NexusEndpoint, registerNexusEndpoint } from '#core/engine/register-nexus-endpoint';
import { adminEvent } from './admin-event.ts';

/**
 * Makes the endpoints that the operator configured, or points them to where they should; what changed is on
 * record. Endpoints that are not named are left alone: namespaces may call only what their list names.
 * @throws EngineError when the engine refuses one, such as for a namespace that does not exist.
 */
export async function ensureNexusEndpoints(
  parts: { readonly engine: EngineHandle; readonly audit: AuditWriter; readonly clock: Clock },
  endpoints: readonly NexusEndpoint[],
): Promise<void> {
  for (const endpoint of endpoints) {
    const outcome = await registerNexusEndpoint(parts.engine, endpoint);
    if (outcome === 'unchanged') continue;
    const { name, namespace, taskQueue } = endpoint;
    parts.audit.append(
      adminEvent(parts.clock, {
        method: 'engine.nexus-endpoint',
        outcome: 'ok',
        detail: `${name} ${outcome}: task queue ${taskQueue} of ${namespace}`,
      }),
    );
  }
}
