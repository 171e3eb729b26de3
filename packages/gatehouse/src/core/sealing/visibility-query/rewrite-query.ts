import { refuse } from '#base/model/refusals';
import { type Predicate, parseQuery, type QueryValue } from './parse-query.ts';
import { tokenizeQuery } from './query-tokens.ts';
import { isSealedName, mentionsSealed, type SealedAttributes } from './sealed-names.ts';

/** The longest query that is sent on, in UTF-16 units: 16 times what a client may send (`QUERY_LENGTH_MAX`). */
const SENT_LENGTH_MAX = 262_144;

/** What needs no escape in any store, nor in the engine: sealed texts are made so. */
const plainText = /^[A-Za-z0-9._-]+$/;

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * A visibility query as the engine must get it, so that it finds the same rows where some attributes are sealed:
 * each value that is compared with one of them is replaced by all of its sealed texts; every other byte stays. A query
 * without the name of a sealed attribute is returned as it is, whatever it says.
 * For List-, Scan- and Count- calls of workflows, schedules and activities, and for batch operations; not for
 * ListWorkers, whose names are not those of search attributes.
 * @throws Refusal `filter_refused` for what a sealed attribute cannot answer, `query_refused` for a query that names
 * one and is not wholly understood. Neither repeats anything of the query.
 */
export function rewriteQuery(query: string, sealed: SealedAttributes): string {
  if (!mentionsSealed(query, sealed)) return query;
  const parsed = parseQuery(tokenizeQuery(query));
  for (const [names, clause] of [
    [parsed.groupBy, 'GROUP BY'],
    [parsed.orderBy, 'ORDER BY'],
  ] as const) {
    for (const name of names) if (isSealedName(name.text, sealed)) throw unanswered(name.text, clause);
  }
  const edits = new Edits(query.length);
  for (const predicate of parsed.predicates) {
    refuseNameAsValue(predicate, sealed);
    if (isSealedName(predicate.name.text, sealed)) sealPredicate(query, predicate, sealed, edits);
  }
  return edits.apply(query);
}

function sealPredicate(query: string, predicate: Predicate, sealed: SealedAttributes, edits: Edits): void {
  const { operator, values, start, end, name } = predicate;
  const seal = (value: QueryValue): string[] => sealValue(name.text, value, sealed);
  switch (operator) {
    case 'IS NULL':
    case 'IS NOT NULL':
      return;
    case 'IN':
    case 'NOT IN':
      for (const value of values) edits.replace(value.start, value.end, seal(value).join(','));
      return;
    case '=':
    case '!=':
      for (const value of values) {
        const texts = seal(value);
        if (texts.length === 1) {
          edits.replace(value.start, value.end, texts.join());
        } else {
          const list = operator === '=' ? 'IN' : 'NOT IN';
          const touches = query.slice(start - 1, start).trim() !== '';
          edits.replace(start, end, touches ? ` ${list}` : list);
          edits.replace(value.start, value.end, `(${texts.join(',')})`);
        }
      }
      return;
    default:
      throw unanswered(name.text, operator);
  }
}

/** The sealed texts of a value, quoted. */
function sealValue(attribute: string, { kind, text }: QueryValue, sealed: SealedAttributes): string[] {
  if (kind !== 'string') throw unanswered(attribute, `a comparison with a ${kind}`);
  if (text.startsWith("'") || text.endsWith("'")) {
    throw refuse('filter_refused', {
      publicDetail: `a value for ${attribute} begins or ends with a single quote, which the engine would cut off`,
    });
  }
  const texts = sealed.sealAll(attribute, text);
  if (texts === undefined)
    throw refuse('filter_refused', { publicDetail: `a value for ${attribute} is too long` });
  if (texts.length === 0)
    throw refuse('encryption_unavailable', { detail: 'a sealed attribute without a key' });
  return texts.map((sealedText) => {
    if (!plainText.test(sealedText)) throw refuse('internal', { detail: 'a sealed text would need escapes' });
    return `'${sealedText}'`;
  });
}

/** The engine takes a name on the right for a mistake; it must not become a question that we read otherwise. */
function refuseNameAsValue({ name, values, operator }: Predicate, sealed: SealedAttributes): void {
  for (const value of values) {
    if (value.kind !== 'name') continue;
    const attribute = [value.text, name.text].find((text) => isSealedName(text, sealed));
    if (attribute !== undefined) throw unanswered(attribute, `${operator} with a name on the right`);
    throw refuse('query_refused', {
      publicDetail: `a name where a value is expected, at character ${value.start + 1}`,
    });
  }
}

function unanswered(attribute: string, operator: string): Error {
  return refuse('filter_refused', { publicDetail: `${attribute} is sealed and does not answer ${operator}` });
}

/** Replacements in the order of their places. */
class Edits {
  readonly #edits: Edit[] = [];
  #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  /** @throws Refusal as soon as the whole would be too long: a list of values is not sealed to its end in vain. */
  replace(start: number, end: number, text: string): void {
    this.#length += text.length - (end - start);
    if (this.#length > SENT_LENGTH_MAX) {
      throw refuse('query_refused', { publicDetail: 'too many values for sealed search attributes' });
    }
    this.#edits.push({ start, end, text });
  }

  apply(query: string): string {
    const parts: string[] = [];
    let from = 0;
    for (const { start, end, text } of this.#edits) {
      parts.push(query.slice(from, start), text);
      from = end;
    }
    parts.push(query.slice(from));
    return parts.join('');
  }
}
