import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Frame, wholeFrame } from '#base/model/frame';
import { GrpcStatus } from '#base/model/grpc-status';
import { Refusal } from '#base/model/refusals';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import { isReservedWorkflowType } from '#core/access/reserved-names';
import { readBytes, readText } from './flat-message.ts';
import type { PermittedCall } from './identified-call.ts';
import type { EngineReply } from './relay.ts';
import type { OutgoingRequest } from './transform-request.ts';

/** One call to the engine in the course of a caller's. */
export type AskEngine = (path: string, frame: Frame, done: (outcome: EngineReply | Refusal) => void) => void;

const DESCRIBE_RUN = '/temporal.api.workflowservice.v1.WorkflowService/DescribeWorkflowExecution';
const HISTORY = /\/GetWorkflowExecutionHistory(?:Reverse)?$/;
/** `execution` in the requests for both histories, and in the one for a description. */
const EXECUTION = 2;
const NO_BYTES = new Uint8Array(0);

/**
 * Can it be that a reply is unreadable only because it does not show whose it is? A batch job is a workflow of the
 * engine's own, which does not seal, under an id that its caller chose: of its history only the page with the start
 * tells. Read from the end, or for its close alone, another page comes first.
 */
export function mayBeReserved(
  { namespace, method }: PermittedCall,
  request: OutgoingRequest,
  error: unknown,
): boolean {
  if (!(error instanceof Refusal) || error.code !== 'payload_unreadable') return false;
  return namespace.sealing === 'on' && !request.aboutReserved && HISTORY.test(method.path);
}

/**
 * Asks the engine whose run it is; of one of its own, asks for the history again. By the run's id: a run does not
 * change its type, while a workflow's id may stand for another run by now (T-079b).
 * @param told the outcome and what was asked for; no outcome where the run is a tenant's, or gone.
 */
export function askWhose(
  call: PermittedCall,
  request: OutgoingRequest,
  ask: AskEngine,
  told: (outcome: EngineReply | Refusal | undefined, request: OutgoingRequest) => void,
): void {
  ask(DESCRIBE_RUN, descriptionRequest(call, request), (outcome) => {
    if (outcome instanceof Refusal) return told(outcome, request);
    if (outcome.status === GrpcStatus.NOT_FOUND) return told(undefined, request);
    // Of an engine that is busy or away, nothing is said about what it stores.
    if (outcome.frame === undefined) return told(outcome, request);
    const pinned = pinToReserved(request, outcome.frame);
    if (pinned === undefined) return told(undefined, request);
    return ask(call.head.path, pinned.frame, (again) => told(again, pinned));
  });
}

/** The call with what is left of its time. */
export function withTimeLeft(call: PermittedCall, spentMs: number): PermittedCall {
  const { timeoutMs } = call.head;
  if (timeoutMs === undefined) return call;
  return { ...call, head: { ...call.head, timeoutMs: Math.max(1, timeoutMs - spentMs) } };
}

/** `DescribeWorkflowExecutionRequest { namespace = 1, execution = 2 }`. */
function descriptionRequest({ namespace }: PermittedCall, request: OutgoingRequest): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(namespace.id);
  const execution = readBytes(messageOf(request.frame), EXECUTION) ?? NO_BYTES;
  return toFrame(writer.tag(EXECUTION, WireType.LengthDelimited).bytes(execution).finish());
}

/** The request for exactly the run that was described; undefined where that is not one of the engine's own. */
function pinToReserved(request: OutgoingRequest, description: Buffer): OutgoingRequest | undefined {
  // workflow_execution_info = 2 { execution = 1 { run_id = 2 }, type = 2 { name = 1 } }
  const info = readBytes(messageOf(description), 2) ?? NO_BYTES;
  const runId = readText(readBytes(info, 1) ?? NO_BYTES, 2);
  const type = readText(readBytes(info, 2) ?? NO_BYTES, 1);
  if (runId === '' || !isReservedWorkflowType(type)) return undefined;
  const run = new BinaryWriter().tag(2, WireType.LengthDelimited).string(runId).finish();
  const again = new BinaryWriter().tag(EXECUTION, WireType.LengthDelimited).bytes(run).finish();
  // The engine merges a second copy of a message into the first (data-plane.md 2.3). A page token of another run it
  // refuses.
  const frame = toFrame(Buffer.concat([messageOf(request.frame), again]));
  return { ...request, frame, aboutReserved: true };
}

function messageOf(frame: Frame): Buffer {
  return wholeFrame(frame).subarray(PREFIX_BYTES);
}
