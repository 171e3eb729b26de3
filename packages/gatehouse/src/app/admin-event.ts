import type { AuditEvent } from '#base/model/audit-event';
import { GrpcStatus } from '#base/model/grpc-status';
import type { Clock } from '#base/runtime/clock';

/** The record of a change that this process made, or refused, by its operator's files rather than by a call. */
export function adminEvent(
  clock: Clock,
  event: Pick<AuditEvent, 'method' | 'outcome'> &
    Partial<Pick<AuditEvent, 'namespace' | 'reason' | 'detail'>>,
): AuditEvent {
  const { method, outcome, namespace = '', reason = outcome === 'ok' ? 'ok' : '', detail = '' } = event;
  return {
    kind: 'admin',
    timeMs: clock.now(),
    requestId: '',
    connectionId: '',
    principal: 'operator:configuration',
    credential: '',
    namespace,
    method,
    outcome,
    status: outcome === 'ok' ? GrpcStatus.OK : GrpcStatus.INVALID_ARGUMENT,
    reason,
    severity: outcome === 'ok' ? 'medium' : 'high',
    peer: '',
    endpoint: '',
    durationMs: 0,
    count: 1,
    // Short: the log has the whole of it.
    detail: detail.slice(0, DETAIL_CHARS_MAX),
  };
}

const DETAIL_CHARS_MAX = 1000;
