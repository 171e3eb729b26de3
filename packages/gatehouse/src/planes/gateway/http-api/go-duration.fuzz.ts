import { goDurationToJson } from './go-duration.ts';

const JSON_FORM = /^-?\d+(?:\.\d{9})?s$/;
const FORM = /^[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;

/** What Go takes, and nothing else, in protobuf's form. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('utf8');
  const json = goDurationToJson(text);
  if (json !== undefined && !JSON_FORM.test(json)) throw new Error(`${JSON.stringify(text)} is ${json}`);
  const isDuration = text === '0' || FORM.test(text);
  if (json !== undefined && !isDuration) throw new Error(`${JSON.stringify(text)} is none in Go`);
  if (json === undefined && isDuration && text.length < 8)
    throw new Error(`${JSON.stringify(text)} is one in Go`);
}

export const bytesMax = 256;

export function seeds(): string[] {
  return ['1h30m', '250ms', '-1.5h', '.5s', '1us', '1µs', '1μs', '0', '9223372036s', '+3ns', '1.s'];
}
