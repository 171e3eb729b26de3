import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';

/** What stands in a failure's message while its own is sealed: the word that SDKs use for the same. */
export const ENCODED_FAILURE = 'Encoded failure';

/** What the gateway takes out of a failure: all that its Worker said in words. */
export interface FailureWords {
  readonly message: string;
  readonly stackTrace: string;
  /** The Payload message that the failure had in `encoded_attributes`, as it was. */
  readonly attributes: Uint8Array | undefined;
}

/** The plaintext of a failure's box: `message` = 1, `stack_trace` = 2, `encoded_attributes` = 3. */
export function writeFailureWords(words: FailureWords): Uint8Array {
  const writer = new BinaryWriter();
  if (words.message !== '') writer.tag(1, 2).string(words.message);
  if (words.stackTrace !== '') writer.tag(2, 2).string(words.stackTrace);
  if (words.attributes !== undefined) writer.tag(3, 2).bytes(words.attributes);
  return writer.finish();
}

/** The words in an opened box. It was sealed by us, so its form is ours. */
export function readFailureWords(bytes: Uint8Array): FailureWords {
  const reader = new BinaryReader(bytes);
  let message = '';
  let stackTrace = '';
  let attributes: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    if (field === 1) message = reader.string();
    else if (field === 2) stackTrace = reader.string();
    else attributes = reader.bytes();
  }
  return { message, stackTrace, attributes };
}
