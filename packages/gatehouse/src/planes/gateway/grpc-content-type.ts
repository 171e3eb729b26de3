/** Parameters say nothing that we would do differently, and are not looked into. */
const WITH_PARAMETERS = /^application\/grpc(?:\+proto)?[ \t]*;/;

/**
 * Does a request speak gRPC over protobuf? Another sub-format (`+json`, or gRPC-Web) is not served, although its name
 * begins alike (gRPC PROTOCOL-HTTP2, Content-Type). As grpc-go reads it, in lower case alone.
 */
export function isGrpcContentType(value: string | undefined): boolean {
  if (value === 'application/grpc' || value === 'application/grpc+proto') return true;
  return value !== undefined && WITH_PARAMETERS.test(value);
}
