import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { TokenKeyring } from '#base/crypto/token-keyring';
import { type Frame, frameBytes } from '#base/model/frame';
import { refuse } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import { Fault, faultNames, MessageScanner } from '#base/proto/scan-message';
import { cutMention, type Edit, insertField, replaceMention, splicePieces } from '#base/proto/splice-message';
import { requestTables, roleOfCode } from '#base/proto/wire-tables';
import { PREFIX_BYTES, REQUEST_BYTES_MAX } from '#base/wire/grpc-message';
import { isTrustedNexusHeader } from '#core/access/nexus-headers';
import {
  isReservedIdentity,
  isReservedSearchAttribute,
  isReservedTaskQueue,
  isReservedWorkflowId,
  isReservedWorkflowType,
  reachesReserved,
} from '#core/access/reserved-names';
import { findQueryFault } from '#core/engine/query-rules';
import { checkClientEncryption } from '#core/sealing/client-encryption/check-client-encryption';
import { sealMessage } from '#core/sealing/seal-message';
import { pageKind, type TokenScope, unbindToken } from '#core/tokens/token-binding';
import type { PermittedCall } from './identified-call.ts';
import { admitCallback } from './nexus-callbacks.ts';
import { pageQuestion } from './page-question.ts';

/** A request as the engine may have it, with what the reply's transformation needs to know of it. */
export interface OutgoingRequest {
  readonly frame: Frame;
  /** What a page token of the reply belongs to. */
  readonly question: string;
  /** The request is about the engine's own workflows, whose payloads it wrote itself (reads only). */
  readonly aboutReserved: boolean;
  /** What the record is to say of it: plaintext, where the namespace reports it. */
  readonly note: string;
}

export interface TransformSettings {
  readonly tokenKeys: () => TokenKeyring;
  readonly nexusEnabled: boolean;
}

const scanner = new MessageScanner(requestTables, { reply: false });

/** Operations on the engine's own state, of any namespace (data-plane.md 3.3). */
const SYSTEM_ENDPOINT = '__temporal_system';

/** Reads that may name the engine's own workflows: they show a tenant his own schedules and batches. */
const MAY_READ_RESERVED = /\/(?:DescribeWorkflowExecution|GetWorkflowExecutionHistory(?:Reverse)?)$/;

/**
 * Do all mentions agree? Checks every namespace, token and reserved name in the request, seals what it says,
 * and gives the engine only bytes that were checked. Nothing is decoded: fields are found by the wire tables.
 * @throws Refusal.
 */
export function transformRequest(
  call: PermittedCall,
  frame: Buffer,
  settings: TransformSettings,
  keyring: NamespaceKeyring | undefined,
): OutgoingRequest {
  if (!scanner.scan(call.method.request, frame, PREFIX_BYTES, frame.length)) throw faultRefusal(scanner);
  const work = new RequestWork(call, settings);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) work.visit(mention);
  const note = checkClientEncryption(scanner, call.namespace, call.method);
  work.seal(keyring);
  return work.finish(frame, note);
}

function faultRefusal(faulty: MessageScanner): Error {
  const publicDetail = `${faulty.faultAt}: ${faultNames[faulty.fault] ?? 'fault'}`;
  const unknown = faulty.fault === Fault.unknownField || faulty.fault === Fault.unknownAnyType;
  return refuse(unknown ? 'field_unknown' : 'message_malformed', { publicDetail });
}

class RequestWork {
  readonly #call: PermittedCall;
  readonly #settings: TransformSettings;
  readonly #edits: Edit[] = [];
  #namespaceNamed = false;
  #aboutReserved = false;
  /** What stands before this belongs to a callback that was admitted. */
  #admittedTo = 0;
  #question: string | undefined;

  constructor(call: PermittedCall, settings: TransformSettings) {
    this.#call = call;
    this.#settings = settings;
  }

  visit(mention: number): void {
    switch (scanner.role(mention)) {
      case Role.namespace:
        return this.#namespace(mention);
      case Role.namespaceId:
        return this.#namespaceId(mention);
      case Role.workflowTaskToken:
        return this.#token(mention, 'workflow-task', '');
      case Role.activityTaskToken:
        return this.#token(mention, 'activity-task', '');
      case Role.nexusTaskToken:
        return this.#token(mention, 'nexus-task', '');
      case Role.pageToken:
        return this.#pageToken(mention);
      case Role.longPollToken:
        return this.#token(mention, 'long-poll', '');
      case Role.newer:
        this.#edits.push(cutMention(scanner, mention));
        return undefined;
      case Role.callback:
        return this.#callback(mention);
      case Role.callbackUrl:
      case Role.callbackHeader:
        if (scanner.tagStart(mention) < this.#admittedTo) return undefined;
        throw refuse('callback_refused', { detail: 'a callback where none is known' });
      case Role.linkNamespace:
        return this.#linkNamespace(mention);
      case Role.forbidden:
        throw refuse('field_refused');
      case Role.nexusEndpoint:
        return this.#nexusEndpoint(mention);
      case Role.nexusHeader:
        return this.#nexusHeader(mention);
      case Role.query:
      case Role.listFilter:
        return this.#query(mention);
      case Role.batchQuery:
        return this.#batchQuery(mention);
      case Role.workflowId:
      case Role.workflowType:
      case Role.taskQueue:
      case Role.identity:
      case Role.searchAttribute:
        return this.#reservedName(mention);
      // Payloads and failures among them: see `seal`.
      default:
        return undefined;
    }
  }

  seal(keyring: NamespaceKeyring | undefined): void {
    const { sealing, sealedAttributes } = this.#call.namespace;
    this.#edits.push(...sealMessage(scanner, { sealing: sealing !== 'off', keyring, sealedAttributes }));
  }

  finish(frame: Buffer, note: string): OutgoingRequest {
    const { namespace, method } = this.#call;
    const tag = this.#namespaceNamed ? 0 : namespaceTag(method.request.codes);
    if (tag !== 0) this.#edits.unshift(insertField(scanner, [tag], Buffer.from(namespace.id)));
    const outgoing = this.#edits.length === 0 ? frame : splicePieces(scanner, this.#edits);
    const size = frameBytes(outgoing);
    // Sealing adds to a message, and the engine's limit stays where it is (data-plane.md 5.4).
    if (size > frame.length && size - PREFIX_BYTES > REQUEST_BYTES_MAX)
      throw refuse('message_too_large', { detail: 'with its seals' });
    return {
      frame: outgoing,
      question: hasRole(method.response.codes, Role.pageToken) ? this.#questionText() : '',
      aboutReserved: this.#aboutReserved,
      note,
    };
  }

  #namespace(mention: number): void {
    const text = scanner.text(mention);
    if (text === this.#call.namespace.id) {
      if (scanner.frameOf(mention) === 0) this.#namespaceNamed = true;
      return;
    }
    // Proto3 has no "absent": an empty text is a namespace that was not given.
    if (text === '') {
      this.#edits.push(cutMention(scanner, mention));
      return;
    }
    throw refuse('namespace_mismatch', { detail: 'in the message' });
  }

  /** An id is turned into the name that the engine's authorizer looks at. */
  #namespaceId(mention: number): void {
    const text = scanner.text(mention);
    if (text !== '' && text !== this.#call.namespace.engineId) {
      throw refuse('namespace_mismatch', { detail: 'namespace id in the message' });
    }
    this.#edits.push(cutMention(scanner, mention));
  }

  #token(mention: number, kind: TokenScope['kind'], question: string): void {
    const bound = scanner.content(mention);
    if (bound.length === 0) return;
    const scope: TokenScope = { namespaceUuid: this.#call.namespace.uuid, kind, question };
    this.#edits.push(replaceMention(scanner, mention, unbindToken(this.#settings.tokenKeys(), scope, bound)));
  }

  /** A page of a history that an earlier page was known by: that it is of the engine's own is bound with it. */
  #pageToken(mention: number): void {
    const kind = pageKind(scanner.content(mention));
    this.#token(mention, kind, this.#questionText());
    if (kind === 'reserved-page') this.#aboutReserved = true;
  }

  /** Some queries end the engine's process or keep it busy for good (CVE-2026-16651, CVE-2026-65651). */
  #query(mention: number): void {
    const text = scanner.text(mention);
    const fault = findQueryFault(text);
    if (fault !== undefined) throw refuse('query_refused', { publicDetail: fault });
    if (reachesReserved(text)) this.#aboutReserved = true;
  }

  /** What a batch finds is acted upon: the engine's own workflows stay out of reach of it (T-101). */
  #batchQuery(mention: number): void {
    this.#query(mention);
    if (reachesReserved(scanner.text(mention)))
      throw refuse('reserved_name', { detail: 'TemporalNamespaceDivision in a batch query' });
  }

  #questionText(): string {
    this.#question ??= pageQuestion(this.#call.method.path, scanner);
    return this.#question;
  }

  #nexusEndpoint(mention: number): void {
    if (!this.#settings.nexusEnabled) throw refuse('nexus_disabled');
    const endpoint = scanner.text(mention);
    if (endpoint === SYSTEM_ENDPOINT || !this.#call.namespace.nexusEndpoints.includes(endpoint)) {
      throw refuse('method_denied', { detail: 'Nexus endpoint that the namespace may not call' });
    }
  }

  #nexusHeader(mention: number): void {
    if (!isTrustedNexusHeader(scanner.text(mention))) return;
    throw refuse('field_refused', { publicDetail: 'a Nexus header whose name is reserved' });
  }

  #callback(mention: number): void {
    const { tokenKeys, nexusEnabled } = this.#settings;
    if (!nexusEnabled) throw refuse('callback_refused', { detail: 'Nexus is off' });
    const scope = { tokenKeys: tokenKeys(), namespaceUuid: this.#call.namespace.uuid };
    this.#edits.push(...admitCallback(scanner, mention, scope));
    this.#admittedTo = scanner.contentEnd(mention);
  }

  /** The engine follows no link, and Nexus handlers link to their callers' namespaces. */
  #linkNamespace(mention: number): void {
    if (!this.#settings.nexusEnabled) this.#namespace(mention);
  }

  #reservedName(mention: number): void {
    if (scanner.contentStart(mention) === scanner.contentEnd(mention)) return;
    const role = scanner.role(mention);
    const text = scanner.text(mention);
    if (role === Role.workflowId && isReservedWorkflowId(text)) {
      if (!MAY_READ_RESERVED.test(this.#call.method.path))
        throw refuse('reserved_name', { detail: 'workflow id' });
      this.#aboutReserved = true;
    } else if (role === Role.workflowType && isReservedWorkflowType(text)) {
      throw refuse('reserved_name', { detail: 'workflow type' });
    } else if (role === Role.taskQueue && isReservedTaskQueue(text, this.#call.namespace.id)) {
      throw refuse('reserved_name', { detail: 'task queue' });
    } else if (role === Role.identity && isReservedIdentity(text)) {
      throw refuse('reserved_name', { detail: 'identity' });
    } else if (role === Role.searchAttribute && isReservedSearchAttribute(text)) {
      throw refuse('reserved_name', { detail: 'search attribute' });
    }
  }
}

function roleAt(codes: Int32Array, number: number): number {
  return roleOfCode(codes[number] ?? 0);
}

function hasRole(codes: Int32Array, role: number): boolean {
  return codes.some((_, number) => roleAt(codes, number) === role);
}

const namespaceTags = new WeakMap<Int32Array, number>();

/** The tag of a request's own namespace field, or 0 where it has none. All have a number below 16. */
function namespaceTag(codes: Int32Array): number {
  let tag = namespaceTags.get(codes);
  if (tag === undefined) {
    const number = codes.findIndex((_, index) => roleAt(codes, index) === Role.namespace);
    tag = number < 0 ? 0 : (number << 3) | 2;
    namespaceTags.set(codes, tag);
  }
  return tag;
}
