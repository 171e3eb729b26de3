import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { frameBytes, wholeFrame } from '#base/model/frame';
import { GrpcStatus } from '#base/model/grpc-status';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import { asRefusal, Refusal, refuse } from '#base/model/refusals';
import type { Log } from '#base/runtime/log';
import type { AccessSettings } from '#core/access/permit';
import type { ConnectionLoad } from '#core/limits/connection-load';
import { KeyNotLoaded } from '#core/sealing/open-message';
import type { Sealing } from '#core/sealing/sealing';
import { Admission } from './admit.ts';
import { authorize } from './authorize.ts';
import { exhaustedAnswer } from './exhausted-answer.ts';
import { answerByGateway, engineRequestOf, fromEngineReply } from './gateway-answers.ts';
import type { CallAnswer, CallHead, IdentifiedCall, PermittedCall } from './identified-call.ts';
import type { Identifier } from './identify.ts';
import { maskError } from './mask-error.ts';
import { openError } from './open-error.ts';
import { openRulesOf } from './open-rules.ts';
import type { CallEnd, Recorder } from './record.ts';
import { type EngineReply, Relay, type RelayDeps } from './relay.ts';
import { type AskEngine, askWhose, mayBeReserved, withTimeLeft } from './reserved-history.ts';
import { transformReply } from './transform-reply.ts';
import { type OutgoingRequest, type TransformSettings, transformRequest } from './transform-request.ts';

export interface PipelineDeps {
  readonly snapshot: () => DirectorySnapshot;
  readonly identifier: Identifier;
  readonly access: AccessSettings;
  readonly transform: TransformSettings;
  readonly sealing: Sealing;
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
  readonly #admission: Admission;
  readonly #answered: (answer: CallAnswer) => void;
  readonly #startedMs: number;
  #identified: IdentifiedCall | undefined;
  #permitted: PermittedCall | undefined;
  #relay: Relay | undefined;
  #over = false;
  /** What the record is to say besides. */
  #note = '';

  constructor(
    deps: PipelineDeps,
    head: CallHead,
    load: ConnectionLoad,
    answered: (answer: CallAnswer) => void,
  ) {
    this.#deps = deps;
    this.#head = head;
    this.#admission = new Admission(load);
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
      this.#admission.admit(identified, this.#startedMs);
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
    this.#withKeys(call, (keyring) => this.#forward(call, frame, keyring));
  }

  /** Goes on with the keys of the namespace: in the same turn, but for the first calls of a namespace. */
  #withKeys(call: PermittedCall, next: (keyring: NamespaceKeyring | undefined) => void): void {
    try {
      const keys = this.#deps.sealing.keysFor(call.namespace);
      if (!(keys instanceof Promise)) return next(keys);
      keys.then(next).catch((error: unknown) => this.refuse(error));
    } catch (error) {
      this.refuse(error);
    }
  }

  #forward(call: PermittedCall, frame: Buffer, keyring: NamespaceKeyring | undefined): void {
    // The caller may have gone away while the keys were fetched.
    if (this.#over) return;
    try {
      this.#admission.admitMessage(frame);
      const request = transformRequest(call, frame, this.#deps.transform, keyring);
      this.#note = request.note;
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

  /** The caller went away, or has all of its answer. */
  cancel(): void {
    this.#admission.releaseReply();
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
      ...exhaustedAnswer(refusal),
    };
    this.#end(answer, refusal, refusal.detail ?? '', 'low');
  }

  #receive(call: PermittedCall, request: OutgoingRequest, outcome: EngineReply | Refusal): void {
    if (outcome instanceof Refusal) return this.refuse(outcome);
    this.#withKeys(call, (keyring) => this.#open({ call, request, outcome, keyring, missed: 0 }));
  }

  #open(received: Received): void {
    if (this.#over) return;
    try {
      this.#deliver(received);
    } catch (error) {
      if (error instanceof KeyNotLoaded) this.#loadKey(received, error);
      else if (mayBeReserved(received.call, received.request, error)) this.#askWhose(received, error);
      else this.refuse(error);
    }
  }

  #deliver({ call, request, outcome, keyring }: Received): void {
    const rules = openRulesOf(call, request, keyring, this.#deps.sealing);
    if (outcome.status !== GrpcStatus.OK || outcome.frame === undefined) {
      const { namespace, snapshot } = call;
      const masked = maskError(outcome, { namespace, snapshot, request: wholeFrame(request.frame) });
      return this.#answer(openError(masked, rules));
    }
    const frame = fromEngineReply(call, outcome.frame);
    const reply = transformReply(call, request, frame, this.#deps.transform, rules);
    this.#admission.holdReply(frameBytes(reply.frame));
    const answer = { ...outcome, frame: reply.frame };
    if (!reply.withheldTask) return this.#answer(answer);
    this.#deps.log.error("a task of the engine's own was held back", { requestId: this.#head.requestId });
    return this.#end(answer, undefined, "a task of the engine's own was held back", 'high');
  }

  /** A page of a history that does not show whose it is. */
  #askWhose({ call, request }: Received, error: unknown): void {
    const ask: AskEngine = (path, frame, done) => {
      const timed = withTimeLeft(call, this.#deps.recorder.now() - this.#startedMs);
      this.#relay = new Relay(timed, path, frame, this.#deps.relay, (outcome) => {
        try {
          done(outcome);
        } catch (bug) {
          this.refuse(bug);
        }
      });
      this.#relay.start();
    };
    askWhose(call, request, ask, (outcome, pinned) => {
      if (outcome === undefined) this.refuse(error);
      else this.#receive(call, pinned, outcome);
    });
  }

  /** A box named a key that is not at hand: another process made it, or it is a peer's. */
  #loadKey(received: Received, { keyId, nexus }: KeyNotLoaded): void {
    const { call, missed } = received;
    const unreadable = (): void => {
      this.refuse(refuse('payload_unreadable', { detail: `no key ${keyId} for this namespace` }));
    };
    if (missed === KEYS_LOADED_MAX) return unreadable();
    this.#deps.sealing
      .load(call.namespace, keyId, nexus)
      .then((found) => {
        if (!found) return unreadable();
        return this.#withKeys(call, (keyring) => this.#open({ ...received, keyring, missed: missed + 1 }));
      })
      .catch((error: unknown) => this.refuse(error));
  }

  #answer(answer: CallAnswer): void {
    this.#end(answer, undefined, this.#note, 'low');
  }

  #end(
    answer: CallAnswer,
    refusal: Refusal | undefined,
    detail: string,
    severity: CallEnd['severity'],
  ): void {
    if (this.#over) return;
    this.#over = true;
    this.#admission.end();
    const principal = this.#identified?.principal;
    const namespace = this.#identified?.namespace;
    let recorded: Promise<void> | undefined;
    try {
      recorded = this.#deps.recorder.call({
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
    } catch (error) {
      // A bug of ours; whoever waits must not wait for ever, nor take the effect for granted.
      this.#deps.log.error('a call could not be recorded', { error, requestId: this.#head.requestId });
      return this.#answered(failed);
    }
    if (recorded === undefined) return this.#answered(answer);
    recorded.then(
      () => this.#answered(answer),
      () => this.#answered(unrecorded),
    );
    return undefined;
  }
}

/** A reply's way back. */
interface Received {
  readonly call: PermittedCall;
  readonly request: OutgoingRequest;
  readonly outcome: EngineReply;
  readonly keyring: NamespaceKeyring | undefined;
  /** How many keys were fetched for it. */
  readonly missed: number;
}

/** A reply holds boxes of the namespace's own keys and of a few peers'. */
const KEYS_LOADED_MAX = 16;

/** Strict and not on disk: the caller must not take the effect for granted. */
const unrecorded = answerOf(refuse('audit_unavailable'));
const failed = answerOf(refuse('internal'));

function answerOf({ grpcStatus: status, message }: Refusal): CallAnswer {
  return { status, message, frame: undefined, details: undefined, headers: [] };
}
