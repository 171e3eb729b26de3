import { ApplicationFailure } from '@temporalio/activity';
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import * as nexus from 'nexus-rpc';
import { greetings } from './greetings.ts';
import type { failing, greeting, waiting } from './workflows.ts';

/** The handler's side. */
export function greetingsHandler(): nexus.ServiceHandler {
  return nexus.serviceHandler(greetings, {
    async hello(_context, name) {
      return `hello, ${name}`;
    },
    greet: new WorkflowRunOperationHandler<string, string>((context, name) => {
      const options = { args: [name] as [string], workflowId: `greeting-${context.requestId}` };
      return startWorkflow<typeof greeting>(context, 'greeting', options);
    }),
    wait: new WorkflowRunOperationHandler<string, string>((context, name) => {
      const options = { args: [name] as [string], workflowId: `waiting-${name}` };
      return startWorkflow<typeof waiting>(context, 'waiting', options);
    }),
    async refuse() {
      throw new nexus.OperationError('failed', 'no greetings today');
    },
    async fail(_context, name) {
      throw ApplicationFailure.create({
        message: `no ${name}`,
        type: 'Refused',
        nonRetryable: true,
        details: [{ name }],
      });
    },
    async deny(_context, name) {
      throw new nexus.HandlerError('BAD_REQUEST', `denied ${name}`, { cause: new Error(`for ${name}`) });
    },
    failLater: new WorkflowRunOperationHandler<string, string>((context, name) => {
      const options = { args: [name] as [string], workflowId: `failing-${context.requestId}` };
      return startWorkflow<typeof failing>(context, 'failing', options);
    }),
    async echo(_context, bytes) {
      return bytes;
    },
    async nothing() {},
  });
}
