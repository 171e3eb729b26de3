import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { openEngineSession } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import type { EngineHandle } from './engine-handle.ts';
import { namespaceRequest } from './engine-messages.ts';

const LIST = '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes';
const OK = 0;

/** `temporal.api.enums.v1.IndexedValueType`, by the words that people use for it. */
const TYPES = ['', 'Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList'] as const;

/** The search attributes of a namespace and their types. */
export interface SearchAttributeTypes {
  readonly custom: ReadonlyMap<string, string>;
  readonly system: ReadonlyMap<string, string>;
}

/** @throws EngineError when the engine refuses or does not answer. */
export async function listSearchAttributes(
  engine: Pick<EngineHandle, 'address' | 'tls' | 'tokens'>,
  namespaceId: string,
): Promise<SearchAttributeTypes> {
  const session = openEngineSession(engine.address, engine.tls);
  try {
    const token = engine.tokens.mintToken(namespaceId, 'read');
    const { status, message, body } = await session.call(LIST, namespaceRequest(namespaceId), token);
    if (status !== OK) {
      throw new EngineError(
        `the engine did not list the search attributes of ${namespaceId}: status ${status} ${message}`,
      );
    }
    return readTypes(body);
  } finally {
    session.close();
  }
}

/** `ListSearchAttributesResponse { custom_attributes = 1, system_attributes = 2 }`, maps of names to types. */
function readTypes(body: Uint8Array): SearchAttributeTypes {
  const custom = new Map<string, string>();
  const system = new Map<string, string>();
  const reader = new BinaryReader(body);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited || field > 2) reader.skip(wireType, field);
    else {
      const [name, type] = readEntry(reader.bytes());
      (field === 1 ? custom : system).set(name, type);
    }
  }
  return { custom, system };
}

function readEntry(bytes: Uint8Array): readonly [string, string] {
  const reader = new BinaryReader(bytes);
  let name = '';
  let type = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) name = reader.string();
    else if (field === 2 && wireType === WireType.Varint) type = TYPES[reader.int32()] ?? '';
    else reader.skip(wireType, field);
  }
  return [name, type];
}
