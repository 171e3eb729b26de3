import type { DescMessage } from '@bufbuild/protobuf';
import { engineApiRegistry, messageType } from '#base/proto/api-registry';
import {
  type MessageTable,
  type MethodTable,
  methodTables,
  requestTables,
  responseTables,
} from '#base/proto/wire-tables';
import type { Direction } from './field-role.ts';

/** A message as the scanner and as a decoder know it. */
export interface ScannedType {
  readonly direction: Direction;
  readonly table: MessageTable;
  readonly desc: DescMessage;
}

export interface MethodMessage extends ScannedType {
  readonly method: MethodTable;
}

/** Every request and every reply of every method that the gateway has tables for. */
export function methodMessages(): MethodMessage[] {
  return [...methodTables.values()].flatMap((method) =>
    (['request', 'response'] as const).map((direction) => {
      const table = method[direction];
      return { method, direction, table, desc: messageType(table.name) };
    }),
  );
}

/** Every type that occurs in requests or in replies, however deep. Entries of maps are no types of their own. */
export function scannedTypes(): ScannedType[] {
  const types: ScannedType[] = [];
  for (const [direction, { messages }] of [
    ['request', requestTables],
    ['response', responseTables],
  ] as const) {
    for (const table of messages) {
      const desc = engineApiRegistry().getMessage(table.name);
      if (desc !== undefined) types.push({ direction, table, desc });
    }
  }
  return types;
}
