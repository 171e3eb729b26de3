import { GrpcStatus } from '#base/model/grpc-status';

/** HTTP statuses of gRPC codes, as grpc-gateway maps them (google/rpc/code.proto). All others are 500. */
const httpStatuses: ReadonlyMap<number, number> = new Map([
  [GrpcStatus.OK, 200],
  [GrpcStatus.CANCELLED, 499],
  [GrpcStatus.INVALID_ARGUMENT, 400],
  [GrpcStatus.DEADLINE_EXCEEDED, 504],
  [GrpcStatus.NOT_FOUND, 404],
  [GrpcStatus.ALREADY_EXISTS, 409],
  [GrpcStatus.PERMISSION_DENIED, 403],
  [GrpcStatus.RESOURCE_EXHAUSTED, 429],
  [GrpcStatus.FAILED_PRECONDITION, 400],
  [GrpcStatus.ABORTED, 409],
  [GrpcStatus.OUT_OF_RANGE, 400],
  [GrpcStatus.UNIMPLEMENTED, 501],
  [GrpcStatus.UNAVAILABLE, 503],
  [GrpcStatus.UNAUTHENTICATED, 401],
]);

export function httpStatusOf(grpcStatus: number): number {
  return httpStatuses.get(grpcStatus) ?? 500;
}
