import * as nexus from 'nexus-rpc';

/** The contract between caller and handler, known to both. */
export const greetings = nexus.service('greetings', {
  /** Answers at once. */
  hello: nexus.operation<string, string>(),
  /** Answers when a workflow of the handler ends. */
  greet: nexus.operation<string, string>(),
  /** As `greet`, by a workflow that ends when it is cancelled. */
  wait: nexus.operation<string, string>(),
  /** Fails at once. */
  refuse: nexus.operation<string, string>(),
});
