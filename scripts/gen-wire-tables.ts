import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  ScalarType,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { fieldRules } from '../packages/gatehouse/src/base/proto/field-roles.ts';
import { payloadRoleOf } from '../packages/gatehouse/src/base/proto/payload-roles.ts';
import { entryRoles, Role } from '../packages/gatehouse/src/base/proto/role.ts';
import { Kind } from '../packages/gatehouse/src/base/proto/wire-kinds.ts';

const PREFIX = 'temporal.api.';
type Direction = 'request' | 'response';

const SERVICES = [
  'temporal.api.workflowservice.v1.WorkflowService',
  'temporal.api.operatorservice.v1.OperatorService',
];

/** Types that travel inside google.protobuf.Any in requests and replies. */
const ANY_TYPES = [
  'temporal.api.update.v1.Request',
  'temporal.api.update.v1.Response',
  'temporal.api.update.v1.Acceptance',
  'temporal.api.update.v1.Rejection',
];

const PAYLOAD = 'temporal.api.common.v1.Payload';
/** What an error carries in `grpc-status-details-bin`. */
const STATUS = 'google.rpc.Status';
const ERROR_DETAILS = 'temporal.api.errordetails.v1.';
/** The only blob that a tenant may get is a piece of history, so it is read as one. */
const BLOB = 'temporal.api.common.v1.DataBlob';
const BLOB_CONTENT = 'temporal.api.history.v1.History';

function loadRegistry(path: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
}

const engineApi = 'packages/gatehouse/data/engine-api.binpb';
const clientApi = 'scripts/descriptors/client-api.binpb';

function shortName(message: DescMessage): string {
  return message.typeName.startsWith(PREFIX) ? message.typeName.slice(PREFIX.length) : message.typeName;
}

function roleOf(direction: Direction, message: string, field: string): number {
  let role: number = Role.none;
  for (const rule of fieldRules) {
    if (rule.direction !== 'both' && rule.direction !== direction) continue;
    if (rule.message !== '*' && rule.message !== message) continue;
    if (rule.field === field) role = Role[rule.role];
  }
  return role;
}

function scalarKind(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
      return Kind.string;
    case ScalarType.BYTES:
      return Kind.bytes;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return Kind.fixed64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return Kind.fixed32;
    default:
      return Kind.varint;
  }
}

/** [number, kind, repeated, role, ordinal, child] */
type FieldRow = [number, number, 0 | 1, number, number, number];
interface MessageRow {
  readonly name: string;
  readonly fields: FieldRow[];
}

/** Builds one direction's message tables, breadth first from the roots, each type once. */
class TableBuilder {
  readonly rows: MessageRow[] = [];
  readonly #index = new Map<string, number>();
  readonly #direction: Direction;
  readonly #newer: FileRegistry;
  readonly #engine: FileRegistry;

  constructor(direction: Direction, engine: FileRegistry, newer: FileRegistry) {
    this.#direction = direction;
    this.#engine = engine;
    this.#newer = newer;
  }

  add(message: DescMessage): number {
    const known = this.#index.get(message.typeName);
    if (known !== undefined) return known;
    const index = this.rows.length;
    this.#index.set(message.typeName, index);
    const row: MessageRow = { name: message.typeName, fields: [] };
    this.rows.push(row);
    const ordinals = new Map<string, number>();
    for (const field of message.fields) row.fields.push(this.#field(message, field, ordinals));
    this.#addNewer(message, row);
    if (ordinals.size > 62)
      throw new Error(`${message.typeName} has more singular fields than the scanner can tell apart`);
    row.fields.sort((a, b) => a[0] - b[0]);
    return index;
  }

  #field(message: DescMessage, field: DescField, ordinals: Map<string, number>): FieldRow {
    const role = roleOf(this.#direction, shortName(message), field.name);
    if (field.fieldKind === 'map') {
      const ofEntry = entryRoles.has(role) ? role : Role.none;
      const ofKey = entryRoles.has(role) ? Role.none : role;
      return [field.number, Kind.message, 1, ofEntry, 0, this.#mapEntry(message, field, ofKey)];
    }
    const repeated = field.fieldKind === 'list';
    let ordinal = 0;
    if (!repeated) {
      const group = field.oneof === undefined ? field.name : `oneof ${field.oneof.name}`;
      ordinal = ordinals.get(group) ?? ordinals.size;
      ordinals.set(group, ordinal);
    }
    if (message.typeName === BLOB && field.name === 'data')
      return [
        field.number,
        Kind.message,
        0,
        0,
        ordinal,
        this.add(requireMessage(this.#engine, BLOB_CONTENT)),
      ];
    if (field.message !== undefined) {
      const any = field.message.typeName === 'google.protobuf.Any';
      return [
        field.number,
        any ? Kind.any : Kind.message,
        repeated ? 1 : 0,
        field.message.typeName === PAYLOAD ? payloadRole(message, field) : this.#messageRole(field, role),
        ordinal,
        this.add(field.message),
      ];
    }
    const kind = field.enum !== undefined ? Kind.varint : scalarKind(field.scalar ?? ScalarType.INT32);
    return [field.number, kind, repeated ? 1 : 0, role, ordinal, -1];
  }

  /** A text role on a field that is a message is carried by that message's own fields. */
  #messageRole(field: DescField, role: number): number {
    // WorkflowQuery is what a Worker is asked, not a visibility query.
    if (role === Role.query) return Role.none;
    return role === Role.taskQueue && field.message?.typeName === 'temporal.api.taskqueue.v1.TaskQueue'
      ? Role.none
      : role;
  }

  #mapEntry(message: DescMessage, field: DescField & { fieldKind: 'map' }, keyRole: number): number {
    const name = `${message.typeName}.${field.name}.entry`;
    const index = this.rows.length;
    const row: MessageRow = { name, fields: [] };
    this.rows.push(row);
    row.fields.push([1, scalarKind(field.mapKey), 0, keyRole, 0, -1]);
    const valueRole = field.message?.typeName === PAYLOAD ? payloadRole(message, field) : Role.none;
    if (field.message !== undefined)
      row.fields.push([2, Kind.message, 0, valueRole, 1, this.add(field.message)]);
    else
      row.fields.push([2, field.scalar === undefined ? Kind.varint : scalarKind(field.scalar), 0, 0, 1, -1]);
    return index;
  }

  #addNewer(message: DescMessage, row: MessageRow): void {
    const numbers = new Set(row.fields.map((field) => field[0]));
    for (const field of this.#newer.getMessage(message.typeName)?.fields ?? []) {
      if (numbers.has(field.number)) continue;
      row.fields.push([field.number, this.#newerKind(field), 1, Role.newer, 0, -1]);
    }
  }

  #newerKind(field: DescField): number {
    if (field.message !== undefined || field.fieldKind === 'map') return Kind.bytes;
    if (field.enum !== undefined) return Kind.varint;
    return scalarKind(field.scalar ?? ScalarType.INT32);
  }

  anyIndex(names: readonly string[]): [string, number][] {
    return names.map((name) => [name, this.add(requireMessage(this.#engine, name))]);
  }
}

function payloadRole(message: DescMessage, field: DescField): number {
  return Role[payloadRoleOf(shortName(message), field.name)];
}

function errorDetailsOf(registry: FileRegistry): string[] {
  return [...registry]
    .filter((type) => type.kind === 'message' && type.parent === undefined)
    .map((type) => type.typeName)
    .filter((name) => name.startsWith(ERROR_DETAILS));
}

function requireMessage(registry: FileRegistry, name: string): DescMessage {
  const message = registry.getMessage(name);
  if (message === undefined) throw new Error(`${name} is not in the engine's API`);
  return message;
}

function requireService(registry: FileRegistry, name: string): DescService {
  const service = registry.getService(name);
  if (service === undefined) throw new Error(`${name} is not in the engine's API`);
  return service;
}

export function generateWireTables(): string {
  const engine = loadRegistry(engineApi);
  const newer = loadRegistry(clientApi);
  const request = new TableBuilder('request', engine, newer);
  const response = new TableBuilder('response', engine, newer);
  const methods: string[] = [];
  for (const name of SERVICES) {
    for (const method of requireService(engine, name).methods) {
      methods.push(
        JSON.stringify([name, method.name, request.add(method.input), response.add(method.output)]),
      );
    }
  }
  const requestAny = request.anyIndex(ANY_TYPES);
  const responseAny = response.anyIndex([...ANY_TYPES, ...errorDetailsOf(engine)]);
  const status = response.add(requireMessage(engine, STATUS));
  const rows = (builder: TableBuilder): string =>
    builder.rows.map((row) => JSON.stringify([row.name, ...row.fields])).join(',\n');
  return [
    '// Made by `npm run gen` from data/engine-api.binpb and field-roles.ts. Do not edit.',
    "import type { WireTableData } from '../wire-table-data.ts';",
    '',
    'export const wireTableData: WireTableData = {',
    `methods: [\n${methods.join(',\n')}\n],`,
    `request: [\n${rows(request)}\n],`,
    `requestAny: ${JSON.stringify(requestAny)},`,
    `response: [\n${rows(response)}\n],`,
    `responseAny: ${JSON.stringify(responseAny)},`,
    `status: ${status},`,
    '};',
    '',
  ].join('\n');
}
