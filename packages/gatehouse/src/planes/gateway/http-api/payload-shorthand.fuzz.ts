import { parseExactJson } from './exact-json.ts';
import { lengthenPayload, type PayloadJson, shortenPayload } from './payload-shorthand.ts';

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** A value stands for one payload, and the short form of that payload stands for it as well. */
export function fuzz(bytes: Buffer): void {
  let value: unknown;
  try {
    value = parseExactJson(bytes);
  } catch {
    return;
  }
  let payload: PayloadJson;
  try {
    payload = lengthenPayload(value);
  } catch (error) {
    // Of a message type that is no text; and deeper than JSON is written.
    if (error instanceof TypeError || error instanceof RangeError) return;
    throw error;
  }
  const texts = [payload.data ?? '', ...Object.values(payload.metadata ?? {})];
  if (!texts.every((text) => BASE64.test(text))) throw new Error('not base64 throughout');
  const short = shortenPayload(payload);
  if (short === undefined) return;
  const again = lengthenPayload(short);
  if (said(again) !== said(payload)) throw new Error(`${said(payload)} and shorter ${said(again)}`);
}

/** Data as text: JSON of one value may be spaced in more than one way, so it is parsed. */
function said({ metadata, data }: PayloadJson): string {
  const encoding = Buffer.from(metadata?.['encoding'] ?? '', 'base64').toString();
  const type = Buffer.from(metadata?.['messageType'] ?? '', 'base64').toString();
  const isNull = encoding === 'binary/null' || data === undefined;
  const value = isNull ? null : parseExactJson(Buffer.from(data, 'base64'));
  return JSON.stringify(value === null ? ['null'] : [encoding, type, value]);
}

export const jsonFrom = 0;

export function seeds(): string[] {
  return [
    'null',
    '"text"',
    '12345678901234567890',
    '{"a":[1,2.50,{"b":null}]}',
    '{"_protoMessageType":"a.B","x":1}',
    '{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"MQ=="}',
    '{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"bnVsbA=="}',
    '{"metadata":{"encoding":"anNvbi9wcm90b2J1Zg==","messageType":"YS5C"},"data":"eyJhIjoxfQ=="}',
    '{"metadata":{"encoding":"YmluYXJ5L251bGw="}}',
    '{"__proto__":{"a":1}}',
  ];
}
