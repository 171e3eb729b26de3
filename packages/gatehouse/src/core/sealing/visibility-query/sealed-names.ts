import { refuse } from '#base/model/refusals';

/** The sealed search attributes of one namespace. */
export interface SealedAttributes {
  /** By the exact name, as the engine compares them. */
  has(name: string): boolean;
  readonly names: readonly string[];
  /** All texts that a value may stand as in the store; undefined where it is too long. */
  sealAll(attribute: string, value: string): readonly string[] | undefined;
}

/** Put before a name, or taken from it, by the engine where it knows no attribute of that name. */
const ENGINE_PREFIX = 'temporal';

/**
 * Might this query ask a sealed attribute? A yes may be wrong: a name within a text, or within a longer name. A no is
 * not. With backticks left out, as the engine does; in any case; with the engine's prefix or without.
 */
export function mentionsSealed(query: string, sealed: SealedAttributes): boolean {
  if (sealed.names.length === 0) return false;
  const text = query.replaceAll('`', '');
  const folded = text.toLowerCase();
  // Of a name with dots the engine takes `a`.`b` for the whole, white space between them or none.
  const isThere = (part: string): boolean => text.includes(part) || folded.includes(fold(part));
  return sealed.names.some((name) => withoutTicks(name).split('.').every(isThere)) || holdsColumn(folded);
}

/**
 * Is this the name of a sealed attribute? The engine knows names byte for byte.
 * @throws Refusal `filter_refused` where it is so similar to one that either somebody errs or somebody tries.
 */
export function isSealedName(name: string, sealed: SealedAttributes): boolean {
  if (sealed.has(name)) return true;
  const similar = sealed.names.find((other) => fold(other) === fold(name));
  if (similar !== undefined) {
    throw refuse('filter_refused', { publicDetail: `${similar} is sealed, and must be written exactly so` });
  }
  if (isColumn(fold(name))) {
    const publicDetail = "a column of the store (KeywordNN, KeywordListNN): use the search attribute's name";
    throw refuse('filter_refused', { publicDetail });
  }
  return false;
}

function withoutTicks(name: string): string {
  return name.replaceAll('`', '');
}

function fold(name: string): string {
  const lowered = withoutTicks(name).trim().toLowerCase();
  return lowered.startsWith(ENGINE_PREFIX) ? lowered.slice(ENGINE_PREFIX.length) : lowered;
}

/**
 * The store's columns for attributes of the types that can be sealed, which the engine takes for names as well
 * (`Keyword01 = 'x'` was answered, run on 1.31.2): whoever names one passes by the name that we know.
 */
const columns = ['keywordlist', 'keyword'];

function isColumn(folded: string): boolean {
  return columns.some((column) => folded.startsWith(column) && isTwoDigits(folded.slice(column.length)));
}

function holdsColumn(folded: string): boolean {
  return columns.some((column) => {
    for (let at = folded.indexOf(column); at >= 0; at = folded.indexOf(column, at + 1)) {
      const digits = at + column.length;
      if (isTwoDigits(folded.slice(digits, digits + 2))) return true;
    }
    return false;
  });
}

function isTwoDigits(text: string): boolean {
  return text.length === 2 && [...text].every((unit) => unit >= '0' && unit <= '9');
}
