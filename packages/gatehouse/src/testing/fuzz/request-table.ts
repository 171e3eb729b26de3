import { type MessageTable, requestTables } from '#base/proto/wire-tables';

const tables = new Map(requestTables.messages.map((table) => [table.name, table]));

/** The scanner's table of a message type, as it stands in requests. @throws Error where no request has it. */
export function requestTable(typeName: string): MessageTable {
  const table = tables.get(typeName);
  if (table === undefined) throw new Error(`no table for ${typeName}`);
  return table;
}
