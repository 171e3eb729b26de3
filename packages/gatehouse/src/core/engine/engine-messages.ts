import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Methods that Gatehouse calls on its own behalf. */
const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService';
export const GET_SYSTEM_INFO = `${SERVICE}/GetSystemInfo`;
export const COUNT_WORKFLOWS = `${SERVICE}/CountWorkflowExecutions`;
export const REGISTER_NAMESPACE = `${SERVICE}/RegisterNamespace`;
export const DESCRIBE_NAMESPACE = `${SERVICE}/DescribeNamespace`;
export const UPDATE_NAMESPACE = `${SERVICE}/UpdateNamespace`;

/** `GetSystemInfoRequest {}` and other requests without a field. */
export const EMPTY_MESSAGE: Uint8Array = new Uint8Array(0);

/** A request whose field 1 is `namespace`, as Count-, Describe- and many others have it. */
export function namespaceRequest(namespace: string): Uint8Array {
  return new BinaryWriter().tag(1, WireType.LengthDelimited).string(namespace).finish();
}

/** `RegisterNamespaceRequest { namespace = 1, workflow_execution_retention_period = 4 }`. */
export function registerNamespaceRequest(namespace: string, retentionSeconds: number): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(namespace)
    .tag(4, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.Varint)
    .int64(retentionSeconds)
    .join()
    .finish();
}

/** `UpdateNamespaceRequest { namespace = 1, config = 3 { workflow_execution_retention_ttl = 1 } }`. */
export function updateRetentionRequest(namespace: string, retentionSeconds: number): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(namespace)
    .tag(3, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.Varint)
    .int64(retentionSeconds)
    .join()
    .join()
    .finish();
}

/** `DescribeNamespaceResponse.namespace_info.id`: the engine's own id of the namespace. */
export function readNamespaceId(body: Uint8Array): string | undefined {
  const info = readField(body, 1);
  const id = info === undefined ? undefined : readField(info, 6);
  return id === undefined ? undefined : Buffer.from(id).toString('utf8');
}

/** `GetSystemInfoResponse.server_version`. */
export function readServerVersion(body: Uint8Array): string | undefined {
  const version = readField(body, 1);
  return version === undefined ? undefined : Buffer.from(version).toString('utf8');
}

/** The last length-delimited value of a field. */
function readField(message: Uint8Array, field: number): Uint8Array | undefined {
  const reader = new BinaryReader(message);
  let found: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field && wireType === WireType.LengthDelimited) found = reader.bytes();
    else reader.skip(wireType, number);
  }
  return found;
}
