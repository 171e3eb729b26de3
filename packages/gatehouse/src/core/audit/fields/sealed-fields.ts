/**
 * The fields that may hold what is personal, each sealed for itself: a network address, who a certificate was
 * made for, whatever a stranger sent. All other fields come from closed lists of ours, or are ids.
 */
export const SEALED_FIELDS = Object.freeze(['principal', 'credential', 'peer', 'detail'] as const);

export type SealedField = (typeof SEALED_FIELDS)[number];

/** Why a field could not be opened. */
export type ClosedReason =
  /** No key for it is at hand. */
  | 'sealed'
  /** Its key was destroyed (`gatehouse audit erase`): nobody can open it any more. */
  | 'erased'
  /** Its key is at hand, and this is not what it sealed for this chain and field: it was changed. */
  | 'unreadable';

/** How a field stands in a record's line: as a JSON string of printable ASCII, with its quotes. */
export type FieldText = (field: SealedField, value: string) => string;

/** What begins a sealed text. In segments of the sealed format no open one begins with it. */
export const SEALED_MARK = '~';

/** What boxes are bound to besides the field: never opened as a payload, nor in another chain. */
export function fieldScope(chain: string): readonly string[] {
  return ['audit', chain];
}

// A fingerprint is a pseudonym: it names nobody without the certificate itself, and must be found by anyone
// who holds the chain. The others are ours and name no person.
const IMPERSONAL = /^(?:certificate:[0-9a-f]+|anonymous|gatehouse|operator:(?:configuration|command))$/;

/** May this value of the field be read by everybody who holds the chain? */
export function isImpersonal(field: SealedField, value: string): boolean {
  return value === '' || (field === 'principal' && IMPERSONAL.test(value));
}
