import { refuse } from '#base/model/refusals';
import { PREFIX_BYTES } from '#base/wire/grpc-message';
import { type CallClass, callClassOf } from '#core/limits/call-class';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { LimitCode } from '#core/limits/namespace-load';
import { readFlag } from './flat-message.ts';
import type { IdentifiedCall } from './identified-call.ts';

/** GetWorkflowExecutionHistoryRequest.wait_new_event: the call waits for an event that is not there yet. */
const WAIT_NEW_EVENT = 5;

/** May this call come in now? What it takes from the limits of its namespace, and gives back. */
export class Admission {
  readonly #load: ConnectionLoad;
  #class: CallClass | undefined;
  #holds = false;
  #replyBytes = 0;

  constructor(load: ConnectionLoad) {
    this.#load = load;
  }

  /** @param nowMs monotonic. @throws Refusal for the limit that the call meets. */
  admit(call: IdentifiedCall, nowMs: number): void {
    const callClass = callClassOf(call.head.path);
    this.#class = callClass;
    throwIfOver(this.#load.admit(call.namespace, callClass, nowMs));
    this.#holds = callClass.holds === 'poll' || callClass.holds === 'wait';
  }

  /** For what only the message tells. @throws Refusal. */
  admitMessage(frame: Buffer): void {
    if (this.#class?.holds !== 'wait-if-asked') return;
    if (!readFlag(frame.subarray(PREFIX_BYTES), WAIT_NEW_EVENT)) return;
    throwIfOver(this.#load.admitWait(this.#class));
    this.#holds = true;
  }

  /** Counts a reply until the caller has it. @throws Refusal where there is no room for it. */
  holdReply(bytes: number): void {
    throwIfOver(this.#load.holdReply(bytes));
    this.#replyBytes += bytes;
  }

  /** The caller has its reply, or has gone away. */
  releaseReply(): void {
    if (this.#replyBytes === 0) return;
    this.#load.releaseReply(this.#replyBytes);
    this.#replyBytes = 0;
  }

  /** The call is over. May be called again. */
  end(): void {
    if (!this.#holds || this.#class === undefined) return;
    this.#load.release(this.#class);
    this.#holds = false;
  }
}

/** Made once: a flood of refusals must not cost a stack trace each. */
const limitRefusals = {
  namespace_rate_limit: refuse('namespace_rate_limit'),
  namespace_poller_limit: refuse('namespace_poller_limit'),
  namespace_memory_limit: refuse('namespace_memory_limit'),
  memory_limit: refuse('memory_limit'),
} satisfies Record<LimitCode, Error>;

function throwIfOver(code: LimitCode | undefined): void {
  if (code !== undefined) throw limitRefusals[code];
}
