import type { AuditEvent } from '#base/model/audit-event';
import { createRecentTexts } from './fields/recent-texts.ts';
import type { FieldText } from './fields/sealed-fields.ts';
import { quoteText } from './quoted-text.ts';

/** The parts of a line that are alike in line after line, put together once: they are most of it. */
export interface EventParts {
  readonly textOf: FieldText;
  caller(event: AuditEvent): Readonly<CallerParts>;
  /** From `method` to `severity`. */
  outcome(event: AuditEvent): string;
}

export interface CallerParts {
  /** From `connectionId` to `namespace`. */
  readonly who: string;
  /** `peer` and `endpoint`. */
  readonly from: string;
}

type KnownCaller = CallerParts &
  Pick<AuditEvent, 'principal' | 'credential' | 'namespace' | 'peer' | 'endpoint'>;
type KnownOutcome = { readonly text: string } & Pick<
  AuditEvent,
  'outcome' | 'status' | 'reason' | 'severity'
>;

/** About 1 KiB each. */
const CALLERS_MAX = 4_096;
/** Methods come from tables of ours. */
const METHODS_MAX = 1_024;
/** A longer part was made up for one event, and is not met again. */
const PART_CHARS_MAX = 1_024;

/** @param textOf writes the fields that may hold what is personal. Other parts for another one. */
export function createEventParts(textOf: FieldText): EventParts {
  const callers = createRecentTexts<KnownCaller>(CALLERS_MAX);
  const outcomes = createRecentTexts<KnownOutcome>(METHODS_MAX);
  return {
    textOf,
    caller(event) {
      const known = callers.get(event.connectionId);
      if (known !== undefined && isSameCaller(known, event)) return known;
      const parts = callerParts(event, textOf);
      const { principal, credential, namespace, peer, endpoint } = event;
      if (parts.who.length + parts.from.length <= PART_CHARS_MAX)
        callers.set(event.connectionId, { ...parts, principal, credential, namespace, peer, endpoint });
      return parts;
    },
    outcome(event) {
      const known = outcomes.get(event.method);
      if (known !== undefined && isSameOutcome(known, event)) return known.text;
      const text = outcomeText(event);
      const { outcome, status, reason, severity } = event;
      if (text.length <= PART_CHARS_MAX)
        outcomes.set(event.method, { text, outcome, status, reason, severity });
      return text;
    },
  };
}

/** The chain's records about itself say nothing of anybody, and an auditor without keys must see them. */
export const inTheOpen: EventParts = createEventParts((_field, value) => quoteText(value));

function isSameCaller(a: KnownCaller, b: AuditEvent): boolean {
  return (
    a.principal === b.principal &&
    a.credential === b.credential &&
    a.namespace === b.namespace &&
    a.peer === b.peer &&
    a.endpoint === b.endpoint
  );
}

function isSameOutcome(a: KnownOutcome, b: AuditEvent): boolean {
  return (
    a.outcome === b.outcome && a.status === b.status && a.reason === b.reason && a.severity === b.severity
  );
}

function callerParts(event: AuditEvent, textOf: FieldText): CallerParts {
  return {
    who: flat(
      `"connectionId":${quoteText(event.connectionId)},"principal":${textOf('principal', event.principal)},` +
        `"credential":${textOf('credential', event.credential)},"namespace":${quoteText(event.namespace)}`,
    ),
    from: flat(`"peer":${textOf('peer', event.peer)},"endpoint":${quoteText(event.endpoint)}`),
  };
}

function outcomeText(event: AuditEvent): string {
  return flat(
    `"method":${quoteText(event.method)},"outcome":${quoteText(event.outcome)},` +
      `"status":${numberText(event.status)},"reason":${quoteText(event.reason)},` +
      `"severity":${quoteText(event.severity)}`,
  );
}

/** One piece instead of those that it was put together from, which would be walked through with each line. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** A number of a line. Three decimals are a microsecond; what is no number would break the line's form. */
export function numberText(value: number): number {
  if (Number.isInteger(value)) return value;
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : -1;
}
