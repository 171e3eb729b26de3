import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { type EngineSession, openEngineSession } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import type { EngineHandle } from './engine-handle.ts';

/** A name under which workflows reach the Nexus services of one namespace, on the whole platform. */
export interface NexusEndpoint {
  readonly name: string;
  /** Public id of the namespace whose Workers handle the operations. */
  readonly namespace: string;
  readonly taskQueue: string;
}

const OPERATOR = '/temporal.api.operatorservice.v1.OperatorService/';
const OK = 0;

/**
 * Makes an endpoint in the engine, or points the one of this name to where it should. Others are left alone.
 * The namespace must be registered.
 * @throws EngineError when the engine refuses or does not answer.
 */
export async function registerNexusEndpoint(
  engine: Pick<EngineHandle, 'address' | 'tls' | 'tokens'>,
  wanted: NexusEndpoint,
): Promise<'made' | 'changed' | 'unchanged'> {
  const session = openEngineSession(engine.address, engine.tls);
  try {
    const call: Call = (method, request) =>
      callOperator(session, engine.tokens, wanted.name, method, request);
    const { name, namespace, taskQueue } = wanted;
    const spec = { name, target: { worker: { namespace, taskQueue } } };
    const existing = readEndpoint(await call('ListNexusEndpoints', { name }));
    if (existing === undefined) {
      await call('CreateNexusEndpoint', { spec });
      return 'made';
    }
    if (existing.namespace === namespace && existing.taskQueue === taskQueue) return 'unchanged';
    await call('UpdateNexusEndpoint', { id: existing.id, version: existing.version, spec });
    return 'changed';
  } finally {
    session.close();
  }
}

type Call = (method: string, request: JsonObject) => Promise<JsonValue>;

async function callOperator(
  session: EngineSession,
  tokens: EngineHandle['tokens'],
  endpoint: string,
  method: string,
  request: JsonObject,
): Promise<JsonValue> {
  const input = messageType(`temporal.api.operatorservice.v1.${method}Request`);
  const answer = await session.call(
    OPERATOR + method,
    toBinary(input, fromJson(input, request)),
    tokens.mintToken('', 'system-admin'),
  );
  if (answer.status !== OK) {
    throw new EngineError(
      `the engine did not keep Nexus endpoint ${endpoint}: ${method}, status ${answer.status} ${answer.message}`,
    );
  }
  const output = messageType(`temporal.api.operatorservice.v1.${method}Response`);
  return toJson(output, fromBinary(output, answer.body));
}

interface ExistingEndpoint {
  readonly id: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly taskQueue: string | undefined;
}

/** The one endpoint of a list that was asked for by name. */
function readEndpoint(list: JsonValue): ExistingEndpoint | undefined {
  const { endpoints: [found] = [] } = list as ListJson;
  if (found === undefined) return undefined;
  const worker = found.spec?.target?.worker;
  return {
    id: found.id ?? '',
    version: found.version ?? '0',
    namespace: worker?.namespace,
    taskQueue: worker?.taskQueue,
  };
}

interface ListJson {
  readonly endpoints?: readonly {
    readonly id?: string;
    readonly version?: string;
    readonly spec?: {
      readonly target?: { readonly worker?: { readonly namespace?: string; readonly taskQueue?: string } };
    };
  }[];
}
