/** How a field's value lies on the wire (protobuf encoding specification). */
export const Kind = {
  unknown: 0,
  varint: 1,
  fixed64: 2,
  bytes: 3,
  string: 4,
  fixed32: 5,
  message: 6,
  /** A google.protobuf.Any: its value is scanned by the table of the type that it names. */
  any: 7,
} as const;
