import { keyIdOfBox, type NamespaceKeyring, type SealedKind } from '#base/crypto/namespace-keyring';
import { refuse } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import { cutMention, type Edit, insertAfter, replaceMention } from '#base/proto/splice-message';
import { isDeletion, readPayload } from './payload-bytes.ts';
import { attributeName } from './seal-message.ts';
import { openAttribute } from './sealed-attributes.ts';
import { readFailureWords } from './sealed-failure.ts';
import { boxOf } from './sealed-payload.ts';
import { openText } from './sealed-text.ts';

/** Whose keys may open a reply. */
export interface OpenRules {
  /** Payloads that were not sealed are refused. */
  readonly strict: boolean;
  /** The keys of the namespace itself; absent where it has none. */
  readonly keyring: NamespaceKeyring | undefined;
  /** The namespace's sealed search attributes, for histories that name columns instead. Absent: none. */
  readonly sealedAttributes?: readonly string[];
  /** Keys of the namespaces that Nexus connects with it, asked only inside a Nexus operation. */
  readonly peer: (keyId: string) => NamespaceKeyring | undefined;
  /** Asked inside a Nexus operation: its other side may not seal. Absent: it always does. */
  readonly plainNexus?: () => boolean;
}

/** A box names a key that is not at hand: load it and open again. */
export class KeyNotLoaded extends Error {
  readonly keyId: string;
  /** The box stands in a Nexus operation, so a peer's key counts too. */
  readonly nexus: boolean;

  constructor(keyId: string, nexus: boolean) {
    super('a key is not loaded');
    this.name = 'KeyNotLoaded';
    this.keyId = keyId;
    this.nexus = nexus;
  }
}

const STACK_TRACE_TAG = [0x1a];

/**
 * The edits that give a reply back as its payloads were sent in: exactly one layer is opened.
 * @throws Refusal `payload_unreadable` where a seal does not open, or one is missing (T-077, T-079).
 * @throws KeyNotLoaded
 */
export function openMessage(scanner: MessageScanner, rules: OpenRules): Edit[] {
  const opener = new Opener(scanner, rules);
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) opener.visit(mention);
  return opener.edits;
}

class Opener {
  readonly edits: Edit[] = [];
  readonly #scanner: MessageScanner;
  readonly #rules: OpenRules;
  /** What stands before this belongs to a Nexus operation. */
  #nexusTo = 0;
  /** The last message and stack trace of each failure that is still open, by frame. */
  readonly #failures = new Map<number, { message?: number; stackTrace?: number }>();

  constructor(scanner: MessageScanner, rules: OpenRules) {
    this.#scanner = scanner;
    this.#rules = rules;
  }

  visit(mention: number): void {
    const scanner = this.#scanner;
    switch (scanner.role(mention)) {
      case Role.nexusPlace:
        this.#nexusTo = Math.max(this.#nexusTo, scanner.contentEnd(mention));
        return;
      case Role.payload:
        return this.#payload(mention, this.#rules.strict, this.#inNexus(mention));
      case Role.headerPayload:
        // A header without a value has no place that could be sealed, and the engine writes it as an empty one.
        if (this.#scanner.content(mention).length === 0) return;
        return this.#payload(mention, this.#rules.strict, this.#inNexus(mention));
      case Role.memoPayload:
        return this.#payload(mention, this.#rules.strict, true);
      case Role.attributePayload:
        return this.#attribute(mention);
      case Role.failureMessage:
        this.#failure(mention).message = mention;
        return;
      case Role.failureStackTrace:
        this.#failure(mention).stackTrace = mention;
        return;
      case Role.failureAttributes:
        return this.#failureAttributes(mention);
      case Role.privateText:
        return this.#text(mention);
      default:
    }
  }

  #failure(mention: number): { message?: number; stackTrace?: number } {
    const frame = this.#scanner.frameOf(mention);
    let place = this.#failures.get(frame);
    if (place === undefined) {
      place = {};
      this.#failures.set(frame, place);
    }
    return place;
  }

  /** @param mayBeEmpty what holds nothing is stored as it is: a memo's deleted entry, no content in Nexus. */
  #payload(mention: number, strict: boolean, mayBeEmpty: boolean): void {
    const content = this.#scanner.content(mention);
    const box = boxOf(content);
    if (box !== undefined) {
      this.edits.push(replaceMention(this.#scanner, mention, this.#open('payload', box, mention)));
      return;
    }
    if (!strict || (mayBeEmpty && holdsNothing(content)) || this.#mayBePlain(mention)) return;
    throw unsealed();
  }

  #attribute(mention: number): void {
    const { keyring, sealedAttributes = [] } = this.#rules;
    if (keyring === undefined) return;
    const notLoaded = (keyId: string): Error => new KeyNotLoaded(keyId, false);
    const reading = { keyring, sealedAttributes, unreadable, notLoaded };
    const name = attributeName(this.#scanner, mention);
    const value = openAttribute(reading, name, this.#scanner.content(mention));
    if (value !== undefined) this.edits.push(replaceMention(this.#scanner, mention, value));
  }

  #text(mention: number): void {
    const text = this.#scanner.text(mention);
    const opened = openText(text, (box) => this.#open('text', box, mention).toString('utf8'));
    if (opened !== text) this.edits.push(replaceMention(this.#scanner, mention, Buffer.from(opened)));
  }

  #failureAttributes(mention: number): void {
    const scanner = this.#scanner;
    const content = scanner.content(mention);
    const box = boxOf(content);
    if (box === undefined) {
      if (this.#rules.strict && !this.#mayBePlain(mention)) throw unsealed();
      return;
    }
    const words = readFailureWords(this.#open('failure', box, mention));
    const { message, stackTrace } = this.#failure(mention);
    if (message !== undefined) {
      this.edits.push(
        words.message === ''
          ? cutMention(scanner, message)
          : replaceMention(scanner, message, Buffer.from(words.message)),
      );
    }
    if (words.stackTrace !== '') {
      const text = Buffer.from(words.stackTrace);
      this.edits.push(
        stackTrace === undefined
          ? insertAfter(scanner, message ?? mention, STACK_TRACE_TAG, text)
          : replaceMention(scanner, stackTrace, text),
      );
    }
    this.edits.push(
      words.attributes === undefined
        ? cutMention(scanner, mention)
        : replaceMention(scanner, mention, words.attributes),
    );
  }

  #open(kind: SealedKind, box: Uint8Array, mention: number): Buffer {
    return openBox(this.#rules, kind, box, this.#inNexus(mention));
  }

  #inNexus(mention: number): boolean {
    return this.#scanner.tagStart(mention) < this.#nexusTo;
  }

  #mayBePlain(mention: number): boolean {
    return this.#inNexus(mention) && this.#rules.plainNexus?.() === true;
  }
}

/** @throws Refusal `payload_unreadable`, KeyNotLoaded */
export function openBox(rules: OpenRules, kind: SealedKind, box: Uint8Array, nexus: boolean): Buffer {
  const keyId = keyIdOfBox(box);
  if (keyId === undefined) throw unreadable();
  const { keyring } = rules;
  const owner = keyring?.hasKey(keyId) === true ? keyring : nexus ? rules.peer(keyId) : undefined;
  if (owner === undefined) throw new KeyNotLoaded(keyId, nexus);
  const opened = owner.open(kind, box);
  if (opened === undefined) throw unreadable();
  return opened;
}

function holdsNothing(payload: Uint8Array): boolean {
  const read = readPayload(payload);
  return read !== undefined && isDeletion(read);
}

function unreadable(): Error {
  return refuse('payload_unreadable', { detail: 'a seal does not open' });
}

function unsealed(): Error {
  return refuse('payload_unreadable', { detail: 'a payload without a seal where every one must have one' });
}
