import { hash } from 'node:crypto';
import { Role } from '#base/proto/field-roles';
import type { MessageScanner } from '#base/proto/scan-message';

const HISTORY = /\/GetWorkflowExecutionHistory(?:Reverse)?$/;

/**
 * What a page of results belongs to: the method, and the workflow or the query that was asked about. A page
 * token opens for the same question only (T-044). The run id is left out: the first page may be asked
 * without one, and the engine's token names the run itself.
 */
export function pageQuestion(path: string, scanner: MessageScanner): string {
  let asked = '';
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    if (role === Role.workflowId || role === Role.query) asked += `${scanner.text(mention)}\n`;
  }
  return HISTORY.test(path) ? historyQuestion(asked.slice(0, -1)) : `${path}\n${hash('sha256', asked)}`;
}

/** Pages of one workflow's history, also those that a workflow task's own token continues. */
export function historyQuestion(workflowId: string): string {
  return `history\n${workflowId}`;
}
