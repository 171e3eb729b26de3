import { CodecRequestError } from './codec-request-error.ts';
import { formatPayloads, parsePayloads } from './payloads-json.ts';

/** A body is read, or refused with status 400 without a word of it; what was read, written and read again is the same. */
export function fuzz(bytes: Buffer): void {
  let payloads: ReturnType<typeof parsePayloads>;
  try {
    payloads = parsePayloads(bytes);
  } catch (error) {
    if (!(error instanceof CodecRequestError) || error.status !== 400) throw error;
    if (error.message.length > 200) throw new Error(`a message of ${error.message.length} characters`);
    return;
  }
  const text = formatPayloads(payloads);
  if (formatPayloads(parsePayloads(Buffer.from(text))) !== text)
    throw new Error(`${text} reads as something else`);
}

export const jsonFrom = 0;

export function seeds(): string[] {
  return [
    '{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"ImEi"}]}',
    '{"payloads":[{"metadata":{"__proto__":"AA=="},"data":null,"externalPayloads":[{"sizeBytes":"5"}]}]}',
    '{"payloads":[{"external_payloads":[{"size_bytes":7},{}]},null,{}]}',
    '{"payloads":null}',
    '{}',
    '[]',
    'null',
  ];
}

export const dictionary: string[] = [
  '"toString":',
  '"valueOf":',
  '"__proto__":',
  '1e400',
  '-0',
  '9007199254740993',
];
