import { GrpcStatus } from '#base/model/grpc-status';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import { asRefusal, Refusal, refuse } from '#base/model/refusals';
import type { Log } from '#base/runtime/log';
import type { AccessSettings } from '#core/access/permit';
import { authorize } from './authorize.ts';
import { answerByGateway, engineRequestOf, fromEngineReply } from './gateway-answers.ts';
import type { CallAnswer, CallHead, IdentifiedCall, PermittedCall } from './identified-call.ts';
import type { Identifier } from './identify.ts';
import { maskError } from './mask-error.ts';
import type { CallEnd, Recorder } from './record.ts';
import { type EngineReply, Relay, type RelayDeps } from './relay.ts';
import { transformReply } from './transform-reply.ts';
import { type OutgoingRequest, type TransformSettings, transformRequest } from './transform-request.ts';

export interface PipelineDeps {
  readonly snapshot: () => DirectorySnapshot;
  readonly identifier: Identifier;
  readonly access: AccessSettings;
  readonly transform: TransformSettings;
  readonly relay: RelayDeps;
  readonly recorder: Recorder;
  readonly log: Log;
}

/**
 * The path of one call: record( wire -> identify -> admit -> authorize -> transform -> relay ). The wire
 * stage owns this object: it calls `open` with the head, `send` with the message, `cancel` when the caller
 * goes away. `answered` is called exactly once.
 */
export class Call {
  readonly #deps: PipelineDeps;
  readonly #head: CallHead;
  readonly #answered: (answer: CallAnswer) => void;
  readonly #startedMs: number;
  #identified: IdentifiedCall | undefined;
  #permitted: PermittedCall | undefined;
  #relay: Relay | undefined;
  #over = false;

  constructor(deps: PipelineDeps, head: CallHead, answered: (answer: CallAnswer) => void) {
    this.#deps = deps;
    this.#head = head;
    this.#answered = answered;
    this.#startedMs = deps.recorder.now();
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** identify -> admit -> authorize. @returns false where the call is refused, and answered. */
  open(): boolean {
    try {
      const identified = this.#deps.identifier.identify(this.#head, this.#deps.snapshot());
      this.#identified = identified;
      this.#deps.recorder.admit();
      this.#permitted = authorize(identified, this.#deps.access);
      return true;
    } catch (error) {
      this.refuse(error);
      return false;
    }
  }

  /** The caller behind an open call, for the gateway's own streaming services. */
  get permitted(): PermittedCall | undefined {
    return this.#permitted;
  }

  /** transform -> relay. @param frame one whole, uncompressed gRPC frame. */
  send(frame: Buffer): void {
    const call = this.#permitted;
    if (call === undefined || this.#over) return;
    try {
      const request = transformRequest(call, frame, this.#deps.transform);
      if (call.permit.served === 'gateway') return this.#answer(answerByGateway(call));
      const target = engineRequestOf(call, request);
      this.#relay = new Relay(call, target.path, target.frame, this.#deps.relay, (outcome) => {
        this.#receive(call, request, outcome);
      });
      return this.#relay.start();
    } catch (error) {
      return this.refuse(error);
    }
  }

  /** The end of one of the gateway's own streams, which has written its status itself. */
  closeStream(status: number): void {
    this.#end(
      { status, message: '', frame: undefined, details: undefined, headers: [] },
      undefined,
      '',
      'low',
    );
  }

  /** The caller went away. */
  cancel(): void {
    if (this.#over) return;
    if (this.#relay === undefined) this.refuse(refuse('cancelled'));
    else this.#relay.cancel();
  }

  /** Ends the call with a no; anything but a refusal is a bug of ours, logged with its stack. */
  refuse(error: unknown): void {
    if (this.#over) return;
    const refusal = asRefusal(error);
    const bug = refusal.code === 'internal' || refusal.code === 'engine_refused_gateway';
    if (bug || refusal.row.severity === 'high') {
      this.#deps.log.error('call refused', { error: refusal, requestId: this.#head.requestId });
    }
    const answer: CallAnswer = {
      status: refusal.grpcStatus,
      httpStatus: refusal.row.http,
      message: refusal.message,
      frame: undefined,
      details: undefined,
      headers: [],
    };
    this.#end(answer, refusal, refusal.detail ?? '', 'low');
  }

  #receive(call: PermittedCall, request: OutgoingRequest, outcome: EngineReply | Refusal): void {
    if (outcome instanceof Refusal) return this.refuse(outcome);
    try {
      if (outcome.status !== GrpcStatus.OK || outcome.frame === undefined) {
        const { namespace, snapshot } = call;
        return this.#answer(maskError(outcome, { namespace, snapshot, request: request.frame }));
      }
      const reply = transformReply(call, request, fromEngineReply(call, outcome.frame), this.#deps.transform);
      const answer = { ...outcome, frame: reply.frame };
      if (!reply.withheldTask) return this.#answer(answer);
      this.#deps.log.error("a task of the engine's own was held back", { requestId: this.#head.requestId });
      return this.#end(answer, undefined, "a task of the engine's own was held back", 'high');
    } catch (error) {
      return this.refuse(error);
    }
  }

  #answer(answer: CallAnswer): void {
    this.#end(answer, undefined, '', 'low');
  }

  #end(
    answer: CallAnswer,
    refusal: Refusal | undefined,
    detail: string,
    severity: CallEnd['severity'],
  ): void {
    if (this.#over) return;
    this.#over = true;
    const principal = this.#identified?.principal;
    const namespace = this.#identified?.namespace;
    const recorded = this.#deps.recorder.call({
      connection: this.#head.connection,
      requestId: this.#head.requestId,
      path: this.#head.path,
      namespaceId: namespace?.id ?? this.#head.connection.namespaceId,
      principal: principal?.label ?? 'anonymous',
      credential: principal?.credential ?? '',
      status: answer.status,
      refusal,
      detail,
      severity,
      startedMs: this.#startedMs,
      strict: namespace?.auditMode === 'strict',
    });
    if (recorded === undefined) return this.#answered(answer);
    recorded.then(
      () => this.#answered(answer),
      () => this.#answered(unrecorded),
    );
    return undefined;
  }
}

const notRecorded = refuse('audit_unavailable');
/** Strict and not on disk: the caller must not take the effect for granted. */
const unrecorded: CallAnswer = {
  status: notRecorded.grpcStatus,
  message: notRecorded.message,
  frame: undefined,
  details: undefined,
  headers: [],
};
