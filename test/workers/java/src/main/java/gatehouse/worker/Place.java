package gatehouse.worker;

import io.temporal.api.workflowservice.v1.WorkflowServiceGrpc;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.converter.DataConverter;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;

/**
 * What a feature gets to work with.
 *
 * @param prefix the task queue, and the beginning of every workflow id
 * @param id the feature's own workflow id
 */
record Place(WorkflowClient client, ActivitiesImpl noted, String prefix, String id) {
  DataConverter converter() {
    return client.getOptions().getDataConverter();
  }

  String namespace() {
    return client.getOptions().getNamespace();
  }

  WorkflowServiceGrpc.WorkflowServiceBlockingStub service() {
    return client.getWorkflowServiceStubs().blockingStub();
  }

  WorkflowOptions.Builder options() {
    return WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(prefix);
  }

  WorkflowStub stub(String workflow) {
    return client.newUntypedWorkflowStub(workflow, options().build());
  }

  WorkflowStub start(String workflow, Object... arguments) {
    WorkflowStub stub = stub(workflow);
    stub.start(arguments);
    return stub;
  }

  /** Runs a workflow and compares its result. */
  void answers(Object expected, String workflow, Object... arguments) {
    equal(start(workflow, arguments).getResult(expected.getClass()), expected);
  }

  /** Closes a mailbox and compares what it kept. */
  static void finish(WorkflowStub mailbox, String... kept) {
    mailbox.signal("close");
    equal(mailbox.getResult(List.class), List.of(kept));
  }

  /** The error of this kind in the chain that the action must end with. */
  static <E extends Throwable> E failure(Class<E> kind, Callable<?> action) throws Exception {
    try {
      action.call();
    } catch (Exception error) {
      for (Throwable at = error; at != null; at = at.getCause()) {
        if (kind.isInstance(at)) return kind.cast(at);
      }
      throw error;
    }
    throw new AssertionError("ended well, not with " + kind.getSimpleName());
  }

  /** Asks again until there is an answer: for what the server shows a moment later. */
  static <T> T until(Callable<T> ask) throws Exception {
    for (; ; ) {
      T answer = ask.call();
      if (answer != null) return answer;
      Thread.sleep(100);
    }
  }

  static void equal(Object actual, Object expected) {
    check(Objects.equals(actual, expected), "got " + actual + ", expected " + expected);
  }

  static void check(boolean holds, String otherwise) {
    if (!holds) throw new AssertionError(otherwise);
  }
}
