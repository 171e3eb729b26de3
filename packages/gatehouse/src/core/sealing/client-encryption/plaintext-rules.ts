import type { NamespaceRecord } from '#base/model/namespace-record';

/** What a namespace lets pass as it is, besides what the SDKs write by themselves. */
export interface PlaintextRules {
  /** Values of `encoding` in a payload's metadata that count as encrypted. */
  readonly encodings: ReadonlySet<string>;
  readonly words: readonly PlaintextWord[];
}

/** One word of `plaintextAllowed`, understood. */
export type PlaintextWord =
  | { readonly kind: 'encoding'; readonly name: string }
  /** A name, or all of the kind. */
  | { readonly kind: NamedKind; readonly name?: string }
  | { readonly kind: 'failure' | 'query-error' | 'summary' }
  | { readonly kind: 'path'; readonly method?: string; readonly fields: readonly string[] };

/** Kinds of places that have names. */
export type NamedKind = 'header' | 'memo' | 'attribute' | 'marker';

const NAMED: ReadonlySet<string> = new Set(['header', 'memo', 'attribute', 'marker']);
const UNNAMED: ReadonlySet<string> = new Set(['failure', 'query-error', 'summary']);

/** The encoding of the codec samples of every SDK, and of `@gatehouse/codec`. */
const USUAL_ENCODING = 'binary/encrypted';
/** Sealed by this platform, or not encrypted at all: these can be named by nobody. */
const NEVER_ENCRYPTED = /^(?:binary\/(?:gatehouse|null|plain|protobuf)|json\/.*|)$/;

const FIELD = /^[a-z][a-z0-9_]*$/;
const METHOD = /^[A-Z][A-Za-z]*$/;
/** Indexes, keys and types of an Any, as a refusal prints them. */
const BRACKETS = /\["[^"]*"\]|\[[^\]]*\]/g;

const parsed = new WeakMap<NamespaceRecord, PlaintextRules>();

/** The rules of a record. A changed namespace has a new record, so each is parsed once. */
export function rulesOf(record: NamespaceRecord): PlaintextRules {
  let rules = parsed.get(record);
  if (rules === undefined) {
    rules = plaintextRules(record.plaintextAllowed);
    parsed.set(record, rules);
  }
  return rules;
}

/** A word that is not understood allows nothing: a gateway older than a word must not fail open. */
export function plaintextRules(allowed: readonly string[]): PlaintextRules {
  const words = allowed.map(parsePlaintextWord).filter((word) => word !== undefined);
  const encodings = new Set([USUAL_ENCODING]);
  for (const word of words) if (word.kind === 'encoding') encodings.add(word.name);
  return { encodings, words };
}

/**
 * Reads one word: `encoding:binary/my-codec`, `header`, `header:_tracer-data`, `memo`, `memo:note`, `attribute`,
 * `attribute:Region`, `marker`, `marker:LocalActivity`, `failure`, `query-error`, `summary`, or `path:` and a path as a
 * refusal prints it, whole or only its beginning, with the method before it or for every method:
 * `path:SignalWorkflowExecution.input`.
 * @returns undefined for anything else.
 */
export function parsePlaintextWord(word: string): PlaintextWord | undefined {
  const colon = word.indexOf(':');
  const kind = colon < 0 ? word : word.slice(0, colon);
  const name = colon < 0 ? undefined : word.slice(colon + 1);
  if (name === undefined) {
    if (isNamedKind(kind)) return { kind };
    return isUnnamedKind(kind) ? { kind } : undefined;
  }
  if (name === '') return undefined;
  if (isNamedKind(kind)) return { kind, name };
  if (kind === 'encoding') return NEVER_ENCRYPTED.test(name) ? undefined : { kind, name };
  return kind === 'path' ? parsePath(name) : undefined;
}

function isNamedKind(kind: string): kind is NamedKind {
  return NAMED.has(kind);
}

function isUnnamedKind(kind: string): kind is 'failure' | 'query-error' | 'summary' {
  return UNNAMED.has(kind);
}

function parsePath(text: string): PlaintextWord | undefined {
  const [first = '', ...rest] = text.replace(BRACKETS, '').split('.');
  const withMethod = METHOD.test(first);
  const fields = withMethod ? rest : [first, ...rest];
  if (fields.length === 0 || !fields.every((field) => FIELD.test(field))) return undefined;
  return withMethod ? { kind: 'path', method: first, fields } : { kind: 'path', fields };
}
