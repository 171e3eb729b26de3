import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Kind } from '#base/proto/wire-kinds';
import { type MessageTable, roleOfCode, type WireTables } from '#base/proto/wire-tables';

/** One place in a message where a field of some role can stand, however deep. */
export interface RolePlace {
  /** Such as `StartWorkflowExecutionRequest.9.1`: field numbers from the top. */
  readonly name: string;
  /** A message with nothing but this value, at this place. */
  message(value: string | Uint8Array): Uint8Array;
}

type Wrap = (inner: Uint8Array) => Uint8Array;

/**
 * Every place for a field of this role below a message: each message type once, by the shortest way to it. So a
 * test of all places fails for a new one by itself.
 */
export function placesOf(tables: WireTables, top: MessageTable, role: number): RolePlace[] {
  const places: RolePlace[] = [];
  const seen = new Set<MessageTable>();
  const waiting: { table: MessageTable; name: string; wrap: Wrap }[] = [];
  const enter = (table: MessageTable, name: string, wrap: Wrap): void => {
    if (!seen.has(table)) waiting.push({ table, name, wrap });
    seen.add(table);
  };
  enter(top, top.name.slice(top.name.lastIndexOf('.') + 1), (inner) => inner);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { table, name, wrap } = next;
    for (let number = 1; number < table.codes.length; number += 1) {
      const code = table.codes[number] ?? 0;
      const at: Wrap = (inner) => wrap(field(number, inner));
      if (roleOfCode(code) === role) {
        places.push({ name: `${name}.${number}`, message: (value) => at(bytesOf(value)) });
      }
      const child = table.children[number];
      if (child !== undefined) enter(child, `${name}.${number}`, at);
      if ((code & 15) !== Kind.any) continue;
      for (const [type, inside] of tables.any) {
        enter(inside, `${name}.${number}<${type}>`, (inner) => at(anyOf(type, inner)));
      }
    }
  }
  return places;
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}

function field(number: number, content: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(content).finish();
}

function anyOf(type: string, value: Uint8Array): Uint8Array {
  return Buffer.concat([field(1, Buffer.from(`type.googleapis.com/${type}`)), field(2, value)]);
}
