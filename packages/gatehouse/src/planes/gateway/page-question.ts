import { hash } from 'node:crypto';
import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import { readText } from './flat-message.ts';

const FORWARD = /\/GetWorkflowExecutionHistory$/;
const BACKWARD = /\/GetWorkflowExecutionHistoryReverse$/;

/**
 * What a page of results belongs to: the method, and the execution or the query that was asked about. A page
 * token opens for the same question only (T-044).
 */
export function pageQuestion(path: string, scanner: MessageScanner): string {
  const history = FORWARD.test(path) ? 'history' : BACKWARD.test(path) ? 'history reversed' : undefined;
  let asked = '';
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    if (role === Role.executionMessage && history !== undefined)
      return executionQuestion(history, scanner.content(mention));
    // The role says which field it was, the length where it ends: no other question reads the same.
    if (role === Role.workflowId || role === Role.query || role === Role.listFilter)
      asked += `${role} ${scanner.text(mention).length} ${scanner.text(mention)}\n`;
  }
  return `${history ?? path}\n${hash('sha256', asked)}`;
}

/** Pages of one run's history that a workflow task's own token continues: with GetWorkflowExecutionHistory. */
export function taskHistoryQuestion(execution: Uint8Array): string {
  return executionQuestion('history', execution);
}

/**
 * The run as it was asked for: empty where the caller left it to the engine, which then names it in the token.
 * @param execution a scanned WorkflowExecution: `workflow_id` = 1, `run_id` = 2.
 */
function executionQuestion(history: string, execution: Uint8Array): string {
  return `${history}\n${readText(execution, 2)}\n${readText(execution, 1)}`;
}
