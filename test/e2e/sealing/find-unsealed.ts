import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { isObject, payloadOf, walk } from './walk-json.ts';

/** What the engine holds of what Workers and clients said. */
export interface SealCount {
  readonly payloads: number;
  readonly failures: number;
  readonly attributes: number;
  /** Where something stands in the clear that docs/encryption.md does not name, and what it is. */
  readonly unsealed: readonly string[];
}

/** A failure that the engine writes by itself has one of these. */
const ENGINES_OWN = [
  'timeoutFailureInfo',
  'terminatedFailureInfo',
  'resetWorkflowFailureInfo',
  'serverFailureInfo',
];

/** Looks at every payload, failure and sealed search attribute of what was read from the engine itself. */
export function countSeals(value: JsonValue, sealedAttributes: readonly string[]): SealCount {
  const counts = { payloads: 0, failures: 0, attributes: 0 };
  const unsealed: string[] = [];
  walk(value, (at, path) => {
    const payload = payloadOf(at);
    const name = path.at(-1) ?? '';
    if (payload !== undefined) {
      const { encoding, data } = payload;
      if (path.at(-2) === 'indexedFields') {
        if (!sealedAttributes.includes(name)) return false;
        const texts: unknown[] = [JSON.parse(data.toString())].flat();
        if (texts.every((text) => typeof text === 'string' && text.startsWith('gh1.')))
          counts.attributes += 1;
        else unsealed.push(`${path.join('.')}: ${data.toString()}`);
      } else if (encoding === 'binary/gatehouse') counts.payloads += 1;
      else if (!isDeletedMemo(path, encoding, data))
        unsealed.push(`${path.join('.')}: ${encoding} ${data.toString('latin1')}`);
      return false;
    }
    if (isFailure(at)) {
      counts.failures += 1;
      if (!isSealedFailure(at)) unsealed.push(`${path.join('.')}: ${JSON.stringify(at)}`);
    }
    return true;
  });
  return { ...counts, unsealed };
}

/** That an entry was deleted stays readable, or the engine would not delete it. */
function isDeletedMemo(path: readonly string[], encoding: string, data: Buffer): boolean {
  return path.at(-2) === 'fields' && encoding === 'binary/null' && data.length === 0;
}

function isFailure(value: JsonValue): value is JsonObject {
  if (!isObject(value)) return false;
  return Object.keys(value).some((key) => key.endsWith('FailureInfo') || key === 'encodedAttributes');
}

function isSealedFailure(failure: JsonObject): boolean {
  const { message = '', stackTrace = '', encodedAttributes } = failure;
  if (ENGINES_OWN.some((key) => key in failure)) return true;
  // One that says nothing has nothing to seal.
  if (message === '' && stackTrace === '' && encodedAttributes === undefined) return true;
  const encoded = encodedAttributes === undefined ? undefined : payloadOf(encodedAttributes);
  return message === 'Encoded failure' && stackTrace === '' && encoded?.encoding === 'binary/gatehouse';
}
