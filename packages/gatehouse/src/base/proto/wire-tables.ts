import { wireTableData } from './generated/wire-tables.ts';
import { Kind } from './wire-kinds.ts';
import type { WireTableData } from './wire-table-data.ts';

/** One message type for the scanner: two arrays indexed by field number. */
export interface MessageTable {
  readonly name: string;
  /** bits 0-3 kind, 4 repeated, 5-10 role, 11-16 ordinal; 0 is an unknown field. */
  readonly codes: Int32Array;
  readonly children: readonly (MessageTable | undefined)[];
  /** Nothing at or below this message has a role: a reply's scan may step over it. */
  interesting: boolean;
}

export interface WireTables {
  readonly messages: readonly MessageTable[];
  /** By the type name inside an Any. */
  readonly any: ReadonlyMap<string, MessageTable>;
}

export interface MethodTable {
  readonly service: string;
  readonly name: string;
  /** The HTTP/2 `:path`. */
  readonly path: string;
  readonly request: MessageTable;
  readonly response: MessageTable;
}

export const REPEATED = 1 << 4;
const ROLE_SHIFT = 5;
export const ORDINAL_SHIFT = 11;
const ROLE_MASK = 63;

/** The role in a field's code. */
export function roleOfCode(code: number): number {
  return (code >> ROLE_SHIFT) & ROLE_MASK;
}

function loadMessages(rows: WireTableData['request']): MessageTable[] {
  const tables = rows.map(([name, ...fields]): MessageTable & { children: (MessageTable | undefined)[] } => {
    const most = fields.reduce((highest, field) => Math.max(highest, field[0] ?? 0), 0);
    return { name, codes: new Int32Array(most + 1), children: new Array(most + 1), interesting: false };
  });
  rows.forEach(([, ...fields], index) => {
    const table = tables[index];
    if (table === undefined) return;
    for (const [number = 0, kind = 0, repeated = 0, role = 0, ordinal = 0, child = -1] of fields) {
      table.codes[number] =
        kind | (repeated === 1 ? REPEATED : 0) | (role << ROLE_SHIFT) | (ordinal << ORDINAL_SHIFT);
      table.children[number] = child < 0 ? undefined : tables[child];
    }
  });
  markInteresting(tables);
  return tables;
}

/** A message is interesting if it or something below it has a role; found by growing until nothing changes. */
function markInteresting(tables: readonly MessageTable[]): void {
  let changed = true;
  while (changed) {
    changed = false;
    for (const table of tables) {
      if (table.interesting) continue;
      const hit = table.codes.some(
        (code, number) =>
          roleOfCode(code) !== 0 || (code & 15) === Kind.any || table.children[number]?.interesting === true,
      );
      if (hit) {
        table.interesting = true;
        changed = true;
      }
    }
  }
}

function loadTables(rows: WireTableData['request'], any: WireTableData['requestAny']): WireTables {
  const messages = loadMessages(rows);
  const byName = new Map<string, MessageTable>();
  for (const [name, index] of any) {
    const table = messages[index];
    if (table !== undefined) byName.set(name, table);
  }
  return { messages, any: byName };
}

export const requestTables: WireTables = loadTables(wireTableData.request, wireTableData.requestAny);
export const responseTables: WireTables = loadTables(wireTableData.response, wireTableData.responseAny);

/** google.rpc.Status, as errors carry it in `grpc-status-details-bin`. */
export const statusTable: MessageTable | undefined = responseTables.messages[wireTableData.status];

/** Every method of the engine's API that the gateway knows, by HTTP/2 path. */
export const methodTables: ReadonlyMap<string, MethodTable> = new Map(
  wireTableData.methods.map(([service, name, input, output]) => {
    const request = requestTables.messages[input];
    const response = responseTables.messages[output];
    if (request === undefined || response === undefined) throw new Error(`generated tables lack ${name}`);
    const path = `/${service}/${name}`;
    return [path, { service, name, path, request, response }];
  }),
);
