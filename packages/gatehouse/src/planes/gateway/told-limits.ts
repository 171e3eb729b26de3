import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** What seals may add to the payloads of one field; docs/encryption.md has engines allow so much more. */
export const SEALS_BYTES: number = 64 * 1024;

/**
 * A DescribeNamespaceResponse whose limits are those of what a caller sends, before it is sealed. SDKs read
 * them and refuse what is larger, so the engine's own would let them send what it then refuses.
 */
export function tellLimits(response: Uint8Array): Uint8Array {
  // DescribeNamespaceResponse.namespace_info = 1, NamespaceInfo.limits = 8.
  return rewritten(response, [1], (info) => rewritten(info, [8], lowerLimits));
}

/** NamespaceInfo.Limits: `blob_size_limit_error` = 1, `memo_size_limit_error` = 2. */
function lowerLimits(limits: Uint8Array): Uint8Array {
  const reader = new BinaryReader(limits);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if ((field === 1 || field === 2) && type === WireType.Varint) {
      const limit = Number(reader.int64());
      // A limit of less is none that seals would leave room in: it is told as it is.
      writer.tag(field, type).int64(limit > SEALS_BYTES ? limit - SEALS_BYTES : limit);
    } else writer.tag(field, type).raw(reader.skip(type, field));
  }
  return writer.finish();
}

/** The message with these of its sub-messages rewritten, all else as it was. */
function rewritten(
  message: Uint8Array,
  fields: readonly number[],
  rewrite: (content: Uint8Array) => Uint8Array,
): Uint8Array {
  const reader = new BinaryReader(message);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    writer.tag(field, type);
    if (fields.includes(field) && type === WireType.LengthDelimited) writer.bytes(rewrite(reader.bytes()));
    else writer.raw(reader.skip(type, field));
  }
  return writer.finish();
}
