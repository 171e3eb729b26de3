import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { decode, encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import type { House } from '../../packages/gatehouse/src/testing/house.ts';
import type { Reply } from './raw-tenant.ts';

/** The engine's database in the hands of somebody who may write to it, while the engine runs. */
export interface StoredRows {
  /** Edits the first batch of events of a workflow, which holds its start, as a decoded history. */
  editStart(workflowId: string, edit: (started: Reply) => void): void;
  /** Edits the bytes of that batch as they lie. The length may change. */
  editStartBytes(workflowId: string, edit: (bytes: Buffer) => Uint8Array): void;
  /** Edits the memo that lists show of a workflow. */
  editListedMemo(workflowId: string, edit: (memo: Reply) => void): void;
  /** Edits the search attributes that lists show, as the JSON that they are stored as. */
  editListedAttributes(workflowId: string, edit: (json: string) => string): void;
  close(): void;
}

const BUSY_MS = 5000;

export function openStoredRows(house: House): StoredRows {
  const database = new DatabaseSync(join(house.home, 'engine', 'data', 'temporal.db'), { timeout: BUSY_MS });
  const startOf = (workflowId: string): { rowid: number; data: Buffer } => {
    for (const row of database.prepare('SELECT rowid, data FROM history_node WHERE node_id = 1').iterate()) {
      const data = Buffer.from(row['data'] as Uint8Array);
      const [first] = decode('history.v1.History', data).events;
      if (first.attributes.value.workflowId === workflowId) return { rowid: Number(row['rowid']), data };
    }
    throw new Error(`no history of ${workflowId}`);
  };
  const update = (sql: string, ...values: readonly SQLInputValue[]): void => {
    assert.equal(Number(database.prepare(sql).run(...values).changes), 1, sql);
  };
  const editStartBytes: StoredRows['editStartBytes'] = (workflowId, edit) => {
    const { rowid, data } = startOf(workflowId);
    update('UPDATE history_node SET data = ? WHERE rowid = ?', edit(data), rowid);
  };
  const listed = (workflowId: string, column: string): Readonly<Record<string, unknown>> => {
    const row = database
      .prepare(`SELECT ${column} FROM executions_visibility WHERE workflow_id = ?`)
      .get(workflowId);
    assert.ok(row, `${workflowId} is listed`);
    return row;
  };
  return {
    editStartBytes,
    editStart(workflowId, edit) {
      editStartBytes(workflowId, (bytes) => {
        const history = decode('history.v1.History', bytes);
        edit(history.events[0].attributes.value);
        return encode('history.v1.History', history);
      });
    },
    editListedMemo(workflowId, edit) {
      const memo = decode('common.v1.Memo', listed(workflowId, 'memo')['memo'] as Uint8Array);
      edit(memo);
      const sql = 'UPDATE executions_visibility SET memo = ? WHERE workflow_id = ?';
      update(sql, encode('common.v1.Memo', memo), workflowId);
    },
    editListedAttributes(workflowId, edit) {
      const json = String(listed(workflowId, 'search_attributes')['search_attributes']);
      const sql = 'UPDATE executions_visibility SET search_attributes = ? WHERE workflow_id = ?';
      update(sql, edit(json), workflowId);
    },
    close: () => database.close(),
  };
}
