package gatehouse.worker;

import io.temporal.common.SearchAttributeKey;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.util.List;

/**
 * The workflows every program of this folder has, by the same names: a starter of one language may use another
 * language's Worker.
 */
final class Workflows {
  /** The search attributes that the further features need in their namespace. */
  static final SearchAttributeKey<String> CUSTOMER = SearchAttributeKey.forKeyword("Customer");

  static final SearchAttributeKey<List<String>> LABELS = SearchAttributeKey.forKeywordList("Labels");
  static final SearchAttributeKey<Long> AMOUNT = SearchAttributeKey.forLong("Amount");

  private Workflows() {}

  @WorkflowInterface
  public interface Echo {
    @WorkflowMethod(name = "echo")
    String run(String text);
  }

  @WorkflowInterface
  public interface Greeting {
    @WorkflowMethod(name = "greeting")
    String run(String name);
  }

  @WorkflowInterface
  public interface LocalGreeting {
    @WorkflowMethod(name = "localGreeting")
    String run(String name);
  }

  /** Milliseconds that the timer took by the workflow's own clock. */
  @WorkflowInterface
  public interface Nap {
    @WorkflowMethod(name = "nap")
    long run();
  }

  /** Collects texts by signal and by update until it is closed. */
  @WorkflowInterface
  public interface Mailbox {
    @WorkflowMethod(name = "mailbox")
    List<String> run();

    @SignalMethod
    void put(String text);

    @SignalMethod
    void close();

    @QueryMethod
    List<String> texts();

    @UpdateMethod
    int add(String text);

    @UpdateValidatorMethod(updateName = "add")
    void refuseEmpty(String text);
  }

  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod(name = "parent")
    String run(String text);
  }

  /** Waits for its cancellation and cleans up by an activity that the cancellation must not reach. */
  @WorkflowInterface
  public interface Cleanup {
    @WorkflowMethod(name = "cleanup")
    void run();
  }

  @WorkflowInterface
  public interface Stubborn {
    @WorkflowMethod(name = "stubborn")
    String run();
  }

  @WorkflowInterface
  public interface Heart {
    @WorkflowMethod(name = "heart")
    void run();
  }

  /** Starts itself anew until nothing is left; answers with the number of runs. */
  @WorkflowInterface
  public interface Countdown {
    @WorkflowMethod(name = "countdown")
    int run(int left, int runs);
  }

  /** Fails by its child's activity. */
  @WorkflowInterface
  public interface BrokenParent {
    @WorkflowMethod(name = "brokenParent")
    String run();
  }

  /** Deletes one entry of its memo and adds another. */
  @WorkflowInterface
  public interface Remember {
    @WorkflowMethod(name = "remember")
    void run(String text);
  }

  /** Replaces its search attributes; answers with the customer that it was started for, once it is closed. */
  @WorkflowInterface
  public interface Relabel {
    @WorkflowMethod(name = "relabel")
    String run(String customer, List<String> labels);

    @SignalMethod
    void close();
  }

  /** A timer and an activity that say what they are for. */
  @WorkflowInterface
  public interface Explained {
    @WorkflowMethod(name = "explained")
    String run(String name);
  }
}
