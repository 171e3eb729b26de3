import type { AuditEvent } from '#base/model/audit-event';
import { GrpcStatus } from '#base/model/grpc-status';
import { type Refusal, refuse } from '#base/model/refusals';
import { methodTables } from '#base/proto/wire-tables';
import type { Clock } from '#base/runtime/clock';
import type { AuditWriter } from '#core/audit/audit-writer';
import type { Connection } from './identified-call.ts';

/** What is told to the record when a call ends. */
export interface CallEnd {
  readonly connection: Connection;
  readonly requestId: string;
  readonly path: string;
  readonly namespaceId: string;
  readonly principal: string;
  readonly credential: string;
  readonly status: number;
  readonly refusal: Refusal | undefined;
  readonly detail: string;
  readonly severity: 'low' | 'medium' | 'high';
  readonly startedMs: number;
  readonly strict: boolean;
}

/** The gateway's own services, besides what the wire tables name. */
const OWN_METHODS: ReadonlySet<string> = new Set([
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
]);

/** Writes the record of every call and every refused connection. */
export class Recorder {
  readonly #audit: AuditWriter;
  readonly #clock: Clock;

  constructor(audit: AuditWriter, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** Before the engine hears of a call. @throws Refusal `audit_unavailable` if it could not be recorded. */
  admit(): void {
    if (!this.#audit.writable()) throw refuse('audit_unavailable');
  }

  now(): number {
    return this.#clock.monotonicMs();
  }

  /** Where strict, resolves when the record is on disk: answer only then. Otherwise returns undefined. */
  call(end: CallEnd): Promise<void> | undefined {
    const event = this.#event(end);
    if (end.strict) return this.#audit.appendStrict(event);
    this.#audit.append(event);
    return undefined;
  }

  /** A connection that never got to make a call. */
  connection(facts: {
    readonly connectionId: string;
    readonly peer: string;
    readonly namespaceId: string;
    readonly reason: string;
    readonly detail: string;
  }): void {
    this.#audit.append({
      kind: 'connection',
      timeMs: this.#clock.now(),
      requestId: '',
      connectionId: facts.connectionId,
      principal: 'anonymous',
      credential: '',
      namespace: facts.namespaceId,
      method: 'connect',
      outcome: 'refused',
      status: -1,
      reason: facts.reason,
      severity: 'medium',
      peer: facts.peer,
      endpoint: '',
      durationMs: 0,
      count: 1,
      detail: facts.detail,
    });
  }

  #event(end: CallEnd): AuditEvent {
    return {
      kind: 'call',
      timeMs: this.#clock.now(),
      requestId: end.requestId,
      connectionId: end.connection.id,
      principal: end.principal,
      credential: end.credential,
      namespace: end.namespaceId,
      // A stranger must not fill the record with method names of his own (T-096).
      method: methodTables.has(end.path) || OWN_METHODS.has(end.path) ? end.path.slice(1) : 'other',
      outcome: outcomeOf(end),
      status: end.status,
      reason: end.refusal?.code ?? (end.status === GrpcStatus.OK ? 'ok' : 'engine_error'),
      severity: end.refusal === undefined ? end.severity : end.refusal.row.severity,
      peer: end.connection.peer,
      endpoint: '',
      durationMs: Math.round((this.#clock.monotonicMs() - end.startedMs) * 1000) / 1000,
      count: 1,
      detail: end.detail,
    };
  }
}

function outcomeOf(end: CallEnd): AuditEvent['outcome'] {
  if (end.refusal === undefined) return end.status === GrpcStatus.OK ? 'ok' : 'error';
  if (end.refusal.code === 'cancelled') return 'cancelled';
  const { code } = end.refusal;
  return code === 'internal' || code === 'engine_unavailable' || code === 'deadline_exceeded'
    ? 'error'
    : 'refused';
}
