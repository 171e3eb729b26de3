import { codec } from '../testing/served-codec.ts';
import { type AnsweringOptions, createAnswering } from './answering.ts';
import { createCors } from './cors.ts';
import { formatPayloads, parsePayloads } from './payloads-json.ts';

const ORIGIN = 'https://ui.example.com';
const NAMES = [
  'origin',
  'x-namespace',
  'content-type',
  'content-encoding',
  'content-length',
  'authorization',
];
const DEFAULTS: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  'x-namespace': 'orders.acme1',
};
const METHODS = ['POST', 'GET', 'OPTIONS', 'PUT'];
const PATHS = ['/decode', '/encode', '/x/encode', '/decode/', '/'];
const limits = { bodyBytesMax: 2000, bodyTimeoutMs: 60_000, codecTimeoutMs: 60_000, requestsAtOnceMax: 2 };
const options: AnsweringOptions = {
  codec: () => codec,
  cors: createCors({ allowedOrigins: [ORIGIN], allowCredentials: true }),
  authorize: async ({ header }) =>
    header('authorization') === 'no' ? { outcome: 'forbidden', reason: 'no' } : { outcome: 'permitted' },
  mayEncode: true,
  limits,
};
const answer = createAnswering(options);

/** Every request has an answer, never that something went wrong inside; what was encoded, decodes to what it was. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const [method = 0, path = 0, which = 0, length = 0] = bytes;
  const value = bytes.toString('latin1', 4, 4 + length);
  const headers = new Map(Object.entries(DEFAULTS));
  const name = NAMES[which % (NAMES.length + 1)];
  if (name !== undefined) headers.set(name, value);
  const body = bytes.subarray(4 + length);
  const ask = (at: string, content: Uint8Array): ReturnType<typeof answer> =>
    answer({
      method: METHODS[method % METHODS.length] ?? 'POST',
      path: at,
      header: (each) => headers.get(each),
      body: (async function* () {
        yield content;
      })(),
    });
  const asked = PATHS[path % PATHS.length] ?? '/';
  const reply = await ask(asked, body);
  if (reply.status === 500 || reply.status === 503) throw new Error(`answers ${reply.status}`);
  if (reply.headers['Access-Control-Allow-Origin'] !== undefined && headers.get('origin') !== ORIGIN)
    throw new Error('a page of another origin may read it');
  if (reply.status !== 200 || !asked.endsWith('encode')) return;
  const back = await ask('/decode', Buffer.from(reply.body));
  // A payload that grows beyond the limit on its way is refused on its way back.
  if (back.status === 413) return;
  if (back.body !== formatPayloads(parsePayloads(body))) throw new Error('something else comes back');
}

export function seeds(): string[] {
  const body = '{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"ImEi"}]}';
  return [
    `\0\x01\x06\0${body}`,
    `\0\0\x06\0${body}`,
    `\0\x01\0\x16${ORIGIN}${body}`,
    `\x02\0\0\x16${ORIGIN}`,
    `\0\0\x04\x049999${body}`,
    `\0\x01\x05\x02no${body}`,
  ];
}
