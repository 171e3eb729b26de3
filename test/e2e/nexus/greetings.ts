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
  /** Fails at once, by a failure of the application. */
  fail: nexus.operation<string, string>(),
  /** The handler itself fails. */
  deny: nexus.operation<string, string>(),
  /** By a workflow that fails. */
  failLater: nexus.operation<string, string>(),
  /** Bytes, and nothing, there and back. */
  echo: nexus.operation<Uint8Array, Uint8Array>(),
  nothing: nexus.operation<void, void>(),
});
