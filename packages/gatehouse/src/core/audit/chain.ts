import { hash } from 'node:crypto';
import type { AuditEvent } from '#base/model/audit-event';
import { type EventParts, numberText } from './event-parts.ts';
import { quoteText } from './quoted-text.ts';

/**
 * The chain, without any I/O. One record is one line of printable ASCII:
 *
 *     {"seq":7,"prev":"<hash of line 6>","kind":"call", ...fields in fixed order...,"hash":"<hash of line 7>"}
 *
 * `hash` is SHA-256, in hex, over the line's bytes before `,"hash":`; `prev` is among them, so each hash
 * covers all that came before. Anyone can check a line with `sed` and `sha256sum`.
 */
export interface ChainLine {
  readonly line: string;
  readonly hash: string;
}

/** Where a chain ends: what the next line continues. */
export interface ChainHead {
  /** Sequence number of the next line. */
  readonly seq: number;
  /** Hash of the last line; `GENESIS_HASH` where there is none. */
  readonly hash: string;
}

/** What stands in `prev` of the first line of all. */
export const GENESIS_HASH = '0'.repeat(64);

/**
 * No line is longer: thirteen texts of 512 units at six bytes each, four of them sealed, come to 46 KiB. A reader
 * may refuse beyond it.
 */
export const LINE_BYTES_MAX = 65_536;

/**
 * An event as the body of the line that continues `head`. `monotonicMs` lets a reader tell a stepped clock (F-16). The
 * hash is over what `parts` wrote, sealed or not, so no key is needed for it.
 */
export function eventBody(
  head: ChainHead,
  event: AuditEvent,
  monotonicMs: number,
  parts: EventParts,
): string {
  const { who, from } = parts.caller(event);
  return (
    `{"seq":${head.seq},"prev":"${head.hash}","kind":${quoteText(event.kind)},` +
    `"timeMs":${numberText(event.timeMs)},"monotonicMs":${Math.round(monotonicMs)},` +
    `"requestId":${quoteText(event.requestId)},${who},${parts.outcome(event)},${from},` +
    `"durationMs":${numberText(event.durationMs)},"count":${numberText(event.count)},` +
    `"detail":${parts.textOf('detail', event.detail)}`
  );
}

/** Ends a line's body with its hash. The body is printable ASCII: one character is one byte. */
export function sealLine(body: string): ChainLine {
  const own = hash('sha256', body);
  return { line: body + ending(own), hash: own };
}

/**
 * The same as bytes in a room, without a string of the whole line: for each call.
 * @param room of at least `LINE_BYTES_MAX`.
 * @throws RangeError for a body that no reader would take.
 */
export function sealInto(room: Buffer, body: string): { readonly bytes: number; readonly hash: string } {
  if (body.length + ENDING_LENGTH > LINE_BYTES_MAX) throw new RangeError('a line of the chain is too long');
  const length = room.write(body, 0, 'latin1');
  const own = hash('sha256', room.subarray(0, length));
  return { bytes: length + room.write(ending(own), length, 'latin1'), hash: own };
}

function ending(own: string): string {
  return `,"hash":"${own}"}\n`;
}

/** A line that is whole in itself: its form is ours and its hash is right. Says nothing about its neighbours. */
export interface WholeLine {
  readonly seq: number;
  readonly prev: string;
  readonly kind: string;
  readonly hash: string;
}

const FORM =
  /^\{"seq":(0|[1-9]\d{0,15}),"prev":"([0-9a-f]{64})","kind":"(\w{1,32})",[ -~]*,"hash":"([0-9a-f]{64})"\}$/;
const ENDING_LENGTH = ending(GENESIS_HASH).length;
const HASH_SUFFIX_LENGTH = ENDING_LENGTH - '\n'.length;

/** Reads a line, without its line break. Undefined where one bit of it is not as it was written. */
export function readLine(line: string): WholeLine | undefined {
  const parts = FORM.exec(line);
  if (parts === null) return undefined;
  const [, seq = '', prev = '', kind = '', own = ''] = parts;
  if (hash('sha256', line.slice(0, -HASH_SUFFIX_LENGTH)) !== own) return undefined;
  return { seq: Number(seq), prev, kind, hash: own };
}
