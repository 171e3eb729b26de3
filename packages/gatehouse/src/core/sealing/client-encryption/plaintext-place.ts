import { type FieldStep, fieldPathText } from '#base/proto/field-path';
import { Role } from '#base/proto/role';
import type { PlaintextWord } from './plaintext-rules.ts';

/** Longer paths are cut: causes of failures nest up to a hundred times. */
const PATH_CHARS_MAX = 300;

/** A field that is not encrypted, and all that the rules ask about it. */
export interface PlaintextPlace {
  readonly method: string;
  readonly role: number;
  readonly steps: readonly FieldStep[];
  /** The key of the map entry that it is the value of. */
  readonly key: string | undefined;
  /** The name of the marker that it is part of. */
  readonly marker: string | undefined;
  readonly content: Uint8Array;
}

/** Does this word of the namespace let the place pass? */
export function allows(word: PlaintextWord, place: PlaintextPlace): boolean {
  switch (word.kind) {
    case 'header':
      return place.role === Role.headerPayload && isNamed(word.name, place.key);
    case 'memo':
      return place.role === Role.memoPayload && isNamed(word.name, place.key);
    case 'attribute':
      return place.role === Role.attributePayload && isNamed(word.name, place.key);
    case 'marker':
      return place.marker !== undefined && isNamed(word.name, place.marker);
    case 'failure':
      return isFailure(place.role);
    case 'query-error':
      return place.role === Role.privateText;
    case 'summary':
      return place.steps.at(-1)?.message === USER_METADATA;
    case 'path':
      return (
        (word.method === undefined || word.method === place.method) &&
        word.fields.every((field, at) => place.steps[at]?.field === field)
      );
    default:
      return false;
  }
}

const USER_METADATA = 'temporal.api.sdk.v1.UserMetadata';

function isNamed(wanted: string | undefined, name: string | undefined): boolean {
  return wanted === undefined || wanted === name;
}

const failureRoles: ReadonlySet<number> = new Set([
  Role.failureMessage,
  Role.failureStackTrace,
  Role.failureAttributes,
  Role.nexusOperationError,
  Role.nexusHandlerError,
]);

function isFailure(role: number): boolean {
  return failureRoles.has(role);
}

/** For people: where it is, and nothing of what it holds. */
export function pathOf({ steps }: PlaintextPlace): string {
  const text = fieldPathText(steps);
  return text.length <= PATH_CHARS_MAX ? text : `${text.slice(0, PATH_CHARS_MAX)}…`;
}

/** For the record: the narrowest word that would let this place pass. */
export function hintOf(place: PlaintextPlace): string {
  return `\`${wordOf(place)}\` in plaintextAllowed would let it pass`;
}

function wordOf(place: PlaintextPlace): string {
  const { role, key = '', marker, method, steps } = place;
  if (marker !== undefined) return `marker:${shown(marker)}`;
  if (role === Role.headerPayload) return `header:${shown(key)}`;
  if (role === Role.memoPayload) return `memo:${shown(key)}`;
  if (role === Role.attributePayload) return `attribute:${shown(key)}`;
  if (role === Role.privateText) return 'query-error';
  if (isFailure(role)) return 'failure';
  if (steps.at(-1)?.message === USER_METADATA) return 'summary';
  return `path:${method}.${steps.map(({ field }) => field).join('.')}`.slice(0, PATH_CHARS_MAX);
}

/** A name that the caller chose, as far as a record may carry it. */
function shown(name: string): string {
  return /^[\w./-]{1,64}$/.test(name) ? name : '…';
}
