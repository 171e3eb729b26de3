import type { Frame } from '#base/model/frame';
import { refuse } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { cutMention, type Edit, replaceMention, splicePieces } from '#base/proto/splice-message';
import { responseTables } from '#base/proto/wire-tables';
import { PREFIX_BYTES, toFrame } from '#base/wire/grpc-message';
import {
  isReservedTaskQueue,
  isReservedWorkflowId,
  isReservedWorkflowType,
} from '#core/access/reserved-names';
import { type OpenRules, openMessage } from '#core/sealing/open-message';
import { bindToken, type TokenKind } from '#core/tokens/token-binding';
import { readText } from './flat-message.ts';
import type { PermittedCall } from './identified-call.ts';
import { sealCallbackHeader } from './nexus-callbacks.ts';
import { taskHistoryQuestion } from './page-question.ts';
import type { OutgoingRequest, TransformSettings } from './transform-request.ts';

const scanner = new MessageScanner(responseTables, { reply: true });
const EMPTY = new Uint8Array(0);
const HIDDEN_QUEUE = Buffer.from('temporal-sys-hidden');
/** Replies about one workflow. */
const SHOWS_ONE = /\/(?:DescribeWorkflowExecution|GetWorkflowExecutionHistory(?:Reverse)?)$/;
const POLL = /\/Poll(?:Workflow|Activity)TaskQueue$/;

/** A reply that may be handed over, or an empty one with the reason why. */
export interface IncomingReply {
  readonly frame: Frame;
  /** A task of the engine's own was held back (T-101). */
  readonly withheldTask: boolean;
}

/**
 * Checks and binds what the engine answers: every namespace in it must be the caller's, every token leaves
 * bound to it, no task of the engine's own workers is handed over, and what was sealed is opened.
 * @throws Refusal `reply_withheld` where the reply is not this namespace's (T-048), `payload_unreadable`.
 * @throws KeyNotLoaded
 */
export function transformReply(
  call: PermittedCall,
  request: OutgoingRequest,
  frame: Buffer,
  settings: TransformSettings,
  open: OpenRules,
): IncomingReply {
  const table = call.method.response;
  if (!table.interesting || frame.length === PREFIX_BYTES) return { frame, withheldTask: false };
  if (!scanner.scan(table, frame, PREFIX_BYTES, frame.length)) {
    throw refuse('reply_withheld', { detail: `reply not understood at ${scanner.faultAt}` });
  }
  const isReserved = request.aboutReserved || showsReserved(call);
  const edits: Edit[] = [];
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const edit = visit(call, request, mention, settings, isReserved);
    if (edit === 'withhold-task') return { frame: toFrame(EMPTY), withheldTask: true };
    if (edit !== undefined) edits.push(edit);
  }
  edits.push(...openMessage(scanner, isReserved && open.strict ? { ...open, strict: false } : open));
  return { frame: edits.length === 0 ? frame : splicePieces(scanner, edits), withheldTask: false };
}

/** Is the reply about one of the engine's own workflows, whose payloads it wrote itself? */
function showsReserved(call: PermittedCall): boolean {
  if (!SHOWS_ONE.test(call.method.path)) return false;
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const shown = scanner.role(mention) === Role.shownWorkflowType;
    if (shown && isReservedWorkflowType(firstText(mention))) return true;
  }
  return false;
}

function visit(
  call: PermittedCall,
  request: OutgoingRequest,
  mention: number,
  settings: TransformSettings,
  isReserved: boolean,
): Edit | 'withhold-task' | undefined {
  switch (scanner.role(mention)) {
    case Role.namespace:
      return checkMention(mention, call.namespace.id);
    case Role.namespaceId:
      return checkMention(mention, call.namespace.engineId ?? '');
    case Role.workflowTaskToken:
      return bindTask(call, mention, 'workflow-task', settings);
    case Role.activityTaskToken:
      return bindTask(call, mention, 'activity-task', settings);
    case Role.nexusTaskToken:
      return bindTask(call, mention, 'nexus-task', settings);
    case Role.pageToken:
      return bind(call, mention, pageKindOf(call, isReserved), replyQuestion(request), settings);
    case Role.longPollToken:
      return bind(call, mention, 'long-poll', '', settings);
    case Role.callbackHeader:
      return sealCallbackHeader(scanner, mention, {
        tokenKeys: settings.tokenKeys(),
        namespaceUuid: call.namespace.uuid,
      });
    case Role.newer:
      return cutMention(scanner, mention);
    case Role.forbidden:
      throw refuse('reply_withheld', { detail: 'the reply holds a field that is not looked into' });
    case Role.masked:
      return replaceMention(scanner, mention, EMPTY);
    case Role.executionMessage:
      return isReservedWorkflowId(firstText(mention)) ? 'withhold-task' : undefined;
    case Role.workflowTypeMessage:
      return isReservedWorkflowType(firstText(mention)) ? 'withhold-task' : undefined;
    case Role.taskQueueMessage:
      return taskQueue(call, mention, isReserved);
    // A link's namespace among them, also while Nexus is off: a history from before must stay readable, or its
    // workflow could not go on.
    default:
      return undefined;
  }
}

function checkMention(mention: number, expected: string): undefined {
  const text = scanner.text(mention);
  if (text !== '' && text !== expected)
    throw refuse('reply_withheld', { detail: 'the reply names another namespace' });
  return undefined;
}

function bind(
  call: PermittedCall,
  mention: number,
  kind: TokenKind,
  question: string,
  settings: TransformSettings,
): Edit | undefined {
  const token = scanner.content(mention);
  // Empty poll replies and last pages have empty tokens, which mean "none".
  if (token.length === 0) return undefined;
  const scope = { namespaceUuid: call.namespace.uuid, kind, question };
  return replaceMention(scanner, mention, bindToken(settings.tokenKeys(), scope, token));
}

/**
 * Binds a task's token, which the engine neither signs nor checks: it names the namespace that a completion
 * will act on, whatever else the reply says (T-048).
 */
function bindTask(
  call: PermittedCall,
  mention: number,
  kind: TokenKind,
  settings: TransformSettings,
): Edit | undefined {
  const token = scanner.content(mention);
  // `namespace_id` is field 1 of all of the engine's task tokens (data-plane.md 2.3).
  if (token.length > 0 && readText(token, 1) !== call.namespace.engineId)
    throw refuse('reply_withheld', { detail: 'a task token of another namespace' });
  return bind(call, mention, kind, '', settings);
}

/** Only the first page of a history shows whose it is, so what goes on from it has to say so. */
function pageKindOf(call: PermittedCall, isReserved: boolean): TokenKind {
  return isReserved && SHOWS_ONE.test(call.method.path) ? 'reserved-page' : 'page';
}

/** A workflow task's page token goes on with GetWorkflowExecutionHistory of the task's workflow. */
function replyQuestion(request: OutgoingRequest): string {
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    if (scanner.role(mention) === Role.executionMessage) return taskHistoryQuestion(scanner.content(mention));
  }
  return request.question;
}

/** A queue of the engine's own worker: in a poll reply its task is held back, in a history its name is hidden. */
function taskQueue(
  call: PermittedCall,
  mention: number,
  isReserved: boolean,
): Edit | 'withhold-task' | undefined {
  const queue = scanner.content(mention);
  // A sticky queue has a name of its own; `normal_name` = 3 says whose it is.
  const isSystem = [readText(queue, 1), readText(queue, 3)].some((name) =>
    isReservedTaskQueue(name, call.namespace.id),
  );
  if (isSystem && POLL.test(call.method.path)) return 'withhold-task';
  // Not of every page it is known whose history it is, so the name counts by itself.
  if (!isSystem && !isReserved) return undefined;
  const hidden = Buffer.concat([Buffer.from([0x0a, HIDDEN_QUEUE.length]), HIDDEN_QUEUE]);
  return replaceMention(scanner, mention, hidden);
}

/** The name or id that a small message is about, which stands in its field 1. */
function firstText(mention: number): string {
  return readText(scanner.content(mention), 1);
}
