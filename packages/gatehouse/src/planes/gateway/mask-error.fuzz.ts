import { ByteSource } from '#testing/fuzz/byte-source';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { maskError } from './mask-error.ts';
import { OTHER, OTHER_ENGINE_ID, other, own, snapshot } from './transform-fixture.test.ts';

const secrets = [OTHER, OTHER_ENGINE_ID, other.uuid];

/** No error of the engine names another tenant to a caller that did not (T-039), however it is written. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const status = source.byte() % 17;
  const request = source.piece();
  const details = source.piece();
  const message = source.rest().toString('utf8');
  const reply = {
    status,
    message,
    ...(details.length === 0 ? {} : { details: details.toString('base64') }),
  };
  const reader = { namespace: own, snapshot, request };
  const shown = unlessRefused(
    () => maskError({ frame: undefined, ...reply } as Parameters<typeof maskError>[0], reader),
    'engine_refused_gateway',
    'engine_unavailable',
    'internal',
  );
  // A failed query carries the words of the caller's own Worker.
  if (shown === undefined || details.includes('QueryFailedFailure')) return;
  if (shown.message !== message) throw new Error('another message');
  for (const secret of secrets)
    if (isName(message, secret) && !request.includes(secret)) throw new Error(`it names ${secret}`);
}

/** Whole, and not as a part of a longer name, which is nobody's. */
function isName(text: string, name: string): boolean {
  return new RegExp(`(?<![a-z0-9.-])${name.replaceAll('.', '\\.')}(?![a-z0-9.-])`).test(text);
}

export function seeds(): string[] {
  return [
    `\x03\0\0namespace ${OTHER} is not known`,
    `\x05\x0e${OTHER}\0workflow of ${OTHER}`,
    `\x05\0\0namespace id ${OTHER_ENGINE_ID} not found`,
    '\x0d\0\0something went wrong, please retry (0a1b)',
    '\x0e\0\0dial tcp 10.0.0.1:7233: refused',
    '\x02\0\0goroutine 5 main.go:77',
    '\x03\0\x0bQueryFailedtext',
  ];
}

export const dictionary: string[] = [...secrets, '[::1]:80', '10.0.0.1:7233', 'SQLSTATE', '.go:1'];
