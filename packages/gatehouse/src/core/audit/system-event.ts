import type { AuditEvent } from '#base/model/audit-event';
import type { Clock } from '#base/runtime/clock';

/** A record that the chain's writer makes about itself. */
export function systemEvent(
  clock: Clock,
  method: string,
  { severity = 'low', detail = '' }: { severity?: AuditEvent['severity']; detail?: string },
): AuditEvent {
  return {
    kind: 'system',
    timeMs: clock.now(),
    requestId: '',
    connectionId: '',
    principal: 'gatehouse',
    credential: '',
    namespace: '',
    method,
    outcome: 'ok',
    status: -1,
    reason: '',
    severity,
    peer: '',
    endpoint: '',
    durationMs: 0,
    count: 1,
    detail,
  };
}
