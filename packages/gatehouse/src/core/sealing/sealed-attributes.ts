import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { keyIdOfSealedAttribute, parseSealedAttribute } from '#base/crypto/sealed-attribute';
import { refuse } from '#base/model/refusals';
import { isDeletion, type PayloadBytes, readPayload, withData } from './payload-bytes.ts';

/** Begins the value of a sealed search attribute. */
const PREFIX = 'gh1.';

/**
 * Attributes that the engine writes itself, out of names that callers chose (a schedule's id is in
 * `TemporalScheduledById`): neither sealed nor opened, or a name would be taken for a sealed value.
 */
const ENGINES_OWN = /^(?:Temporal|Batcher)/;

/**
 * Columns of the engine's SQL stores (common/searchattribute/sadefs of the server): raw and archived histories name the
 * column in which an attribute is kept, not the attribute.
 */
const COLUMN = /^Keyword(?:List)?\d\d$/;

/** Whose values are opened, and what is thrown where one does not open, or its key is not at hand. */
export interface AttributeReading {
  readonly keyring: NamespaceKeyring;
  /** The namespace's sealed attributes, any of which a column may hold. */
  readonly sealedAttributes: readonly string[];
  readonly unreadable: () => Error;
  readonly notLoaded: (keyId: string) => Error;
}

/**
 * The value of a search attribute as the engine gets it, or undefined where it stays as it is. The engine reads
 * and indexes it, so a sealed value is again JSON text, or a list of texts.
 * @throws Refusal `attribute_refused` for a value that cannot be sealed, and for one that looks sealed already.
 */
export function sealAttribute(
  keyring: NamespaceKeyring | undefined,
  sealed: boolean,
  name: string,
  bytes: Uint8Array,
): Buffer | undefined {
  if (ENGINES_OWN.test(name)) return undefined;
  const payload = readPayload(bytes);
  if (payload === undefined) throw refuse('message_malformed', { publicDetail: `search attribute ${name}` });
  if (isDeletion(payload)) return undefined;
  if (!sealed) {
    // Opened on its way back, were it let in.
    if (holdsPrefix(payload))
      throw refuse('attribute_refused', { publicDetail: `${name}: a value must not begin with ${PREFIX}` });
    return undefined;
  }
  if (keyring === undefined)
    throw refuse('encryption_unavailable', { detail: 'sealed attributes without a key' });
  // The rest of its metadata would lie beside it in the open.
  if (!payload.metadataKeys.every((key) => key === 'encoding' || key === 'type'))
    throw refuse('attribute_refused', { publicDetail: `${name}: metadata beside encoding and type` });
  const sealOne = (value: unknown): string => {
    const text = typeof value === 'string' ? keyring.sealAttribute(name, value) : undefined;
    if (text === undefined) throw refuse('attribute_refused', { publicDetail: name });
    return text;
  };
  const value = textsOf(payload, name);
  return withData(payload, jsonOf(Array.isArray(value) ? value.map(sealOne) : sealOne(value)));
}

/**
 * The value of a search attribute as its caller gave it, or undefined where it was not sealed. In a column it may be
 * that of any sealed attribute: which one is the engine's word in any case.
 * @throws what `reading` makes.
 */
export function openAttribute(
  reading: AttributeReading,
  name: string,
  bytes: Uint8Array,
): Buffer | undefined {
  if (ENGINES_OWN.test(name)) return undefined;
  const payload = readPayload(bytes);
  if (payload === undefined || !holdsPrefix(payload)) return undefined;
  const { keyring, sealedAttributes, notLoaded, unreadable } = reading;
  const names = COLUMN.test(name) ? [name, ...sealedAttributes] : [name];
  const openOne = (value: unknown): unknown => {
    if (typeof value !== 'string' || !value.startsWith(PREFIX)) return value;
    const box = parseSealedAttribute(value);
    // From before the prefix was reserved: no text of ours.
    if (box === undefined) return value;
    const keyId = keyIdOfSealedAttribute(box);
    if (!keyring.hasKey(keyId)) throw notLoaded(keyId);
    for (const each of names) {
      const opened = keyring.openAttribute(each, value);
      if (opened !== undefined) return opened;
    }
    throw unreadable();
  };
  const value = parseJson(payload.data);
  // The bytes may hold the prefix and be no JSON: nothing that was sealed.
  if (value === undefined) return undefined;
  return withData(payload, jsonOf(Array.isArray(value) ? value.map(openOne) : openOne(value)));
}

/** Cheap: looked for in bytes before anything is parsed. JSON escapes of its letters are no form that is written. */
function holdsPrefix({ data }: PayloadBytes): boolean {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  if (bytes.includes(`"${PREFIX}`)) return true;
  // A backslash could hide the letters.
  if (!bytes.includes('\\')) return false;
  const value = parseJson(data);
  return [value].flat().some((item) => typeof item === 'string' && item.startsWith(PREFIX));
}

function textsOf(payload: PayloadBytes, name: string): unknown {
  if (payload.encoding !== 'json/plain') throw refuse('attribute_refused', { publicDetail: name });
  const value = parseJson(payload.data);
  if (value === undefined) throw refuse('attribute_refused', { publicDetail: name });
  return value;
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString('utf8'));
  } catch {
    // Not JSON: no value of a text attribute.
    return undefined;
  }
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
