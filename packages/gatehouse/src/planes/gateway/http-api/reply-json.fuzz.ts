import { fromBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { ByteSource } from '#testing/fuzz/byte-source';
import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { errorText } from './error-text.ts';
import { replyText } from './transcode.ts';

/** A reply that decodes is JSON in every form, or cannot be said in JSON at all; an error can always be told. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const { desc, direction } = messageOf(source.number());
  const form = { shorthand: source.flag(), pretty: source.flag() };
  const message = source.rest();
  const details = message.toString('base64');
  const error = JSON.parse(errorText({ status: 3, message: 'text', details }, form)) as Record<
    string,
    unknown
  >;
  if (error['code'] !== 3 || error['message'] !== 'text') throw new Error('another code or text');
  if (direction !== 'response' || !decodes(desc.typeName, message)) return;
  const [shown, full] = [form, { ...form, shorthand: false }].map((each) =>
    textOf(desc.typeName, message, each),
  );
  if (shown === undefined || full === undefined) {
    if (shown !== full) throw new Error('one form can be written and another not');
    return;
  }
  const shownKeys = Object.keys(JSON.parse(shown) as object);
  if (shownKeys.join() !== Object.keys(JSON.parse(full) as object).join()) throw new Error('other fields');
}

function decodes(typeName: string, message: Uint8Array): boolean {
  try {
    fromBinary(messageType(typeName), message);
    return true;
  } catch {
    return false;
  }
}

function textOf(
  typeName: string,
  message: Uint8Array,
  form: Parameters<typeof replyText>[2],
): string | undefined {
  try {
    return replyText(messageType(typeName), message, form);
  } catch (error) {
    // The library's word for what JSON cannot say: times out of range, types inside Any that nobody knows.
    if (error instanceof Error && /^cannot encode /.test(error.message)) return undefined;
    throw error;
  }
}

export const protobufFrom = 4;

export function* seeds(): Generator<Uint8Array> {
  for (const { number, bytes } of sampleMessages('response'))
    for (const flag of [0, 1]) yield Buffer.concat([number, Buffer.from([flag, 0]), bytes]);
}

export const dictionary: string[] = [
  'encoding',
  'json/plain',
  'json/protobuf',
  'messageType',
  'binary/null',
  '{"a":1}',
];
