package gatehouse.worker;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.common.RetryOptions;
import io.temporal.failure.CanceledFailure;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.TimerOptions;
import io.temporal.workflow.Workflow;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

final class WorkflowsImpl {
  static final Class<?>[] all = {
    Echo.class,
    Greeting.class,
    LocalGreeting.class,
    Nap.class,
    Mailbox.class,
    Parent.class,
    Cleanup.class,
    Stubborn.class,
    Heart.class,
    Countdown.class,
    BrokenParent.class,
    Remember.class,
    Relabel.class,
    Explained.class
  };

  private WorkflowsImpl() {}

  private static Activities activities() {
    return Workflow.newActivityStub(
        Activities.class,
        ActivityOptions.newBuilder()
            .setStartToCloseTimeout(Duration.ofSeconds(10))
            .setRetryOptions(
                RetryOptions.newBuilder()
                    .setInitialInterval(Duration.ofMillis(100))
                    .setBackoffCoefficient(1)
                    .setMaximumAttempts(3)
                    .build())
            .build());
  }

  private static String ownId() {
    return Workflow.getInfo().getWorkflowId();
  }

  public static final class Echo implements Workflows.Echo {
    @Override
    public String run(String text) {
      return text;
    }
  }

  public static final class Greeting implements Workflows.Greeting {
    @Override
    public String run(String name) {
      return activities().greet(name);
    }
  }

  public static final class LocalGreeting implements Workflows.LocalGreeting {
    @Override
    public String run(String name) {
      var options = LocalActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(5)).build();
      return Workflow.newLocalActivityStub(Activities.class, options).greet(name);
    }
  }

  public static final class Nap implements Workflows.Nap {
    @Override
    public long run() {
      long before = Workflow.currentTimeMillis();
      Workflow.sleep(Duration.ofSeconds(1));
      return Workflow.currentTimeMillis() - before;
    }
  }

  public static final class Mailbox implements Workflows.Mailbox {
    private final List<String> kept = new ArrayList<>();
    private boolean open = true;

    @Override
    public List<String> run() {
      Workflow.await(() -> !open);
      return kept;
    }

    @Override
    public void put(String text) {
      kept.add(text);
    }

    @Override
    public void close() {
      open = false;
    }

    @Override
    public List<String> texts() {
      return kept;
    }

    @Override
    public int add(String text) {
      kept.add(text);
      return kept.size();
    }

    @Override
    public void refuseEmpty(String text) {
      if (text.isEmpty()) throw new IllegalArgumentException("an empty text is not kept");
    }
  }

  public static final class Parent implements Workflows.Parent {
    @Override
    public String run(String text) {
      var options = ChildWorkflowOptions.newBuilder().setWorkflowId(ownId() + "-child").build();
      return Workflow.newChildWorkflowStub(Workflows.Echo.class, options).run(text);
    }
  }

  public static final class Cleanup implements Workflows.Cleanup {
    @Override
    public void run() {
      try {
        Workflow.sleep(Duration.ofHours(1));
      } catch (CanceledFailure cancelled) {
        Workflow.newDetachedCancellationScope(() -> activities().tidy(ownId())).run();
        throw cancelled;
      }
    }
  }

  public static final class Stubborn implements Workflows.Stubborn {
    @Override
    public String run() {
      return activities().breakTwice();
    }
  }

  public static final class Heart implements Workflows.Heart {
    @Override
    public void run() {
      Workflow.newActivityStub(
              Activities.class,
              ActivityOptions.newBuilder()
                  .setStartToCloseTimeout(Duration.ofSeconds(30))
                  .setHeartbeatTimeout(Duration.ofSeconds(5))
                  .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
                  .setRetryOptions(RetryOptions.newBuilder().setMaximumAttempts(1).build())
                  .build())
          .beat(ownId());
    }
  }

  public static final class Countdown implements Workflows.Countdown {
    @Override
    public int run(int left, int runs) {
      if (left > 0) Workflow.continueAsNew(left - 1, runs + 1);
      return runs + 1;
    }
  }

  public static final class BrokenParent implements Workflows.BrokenParent {
    @Override
    public String run() {
      var options = ChildWorkflowOptions.newBuilder().setWorkflowId(ownId() + "-child").build();
      return Workflow.newChildWorkflowStub(Workflows.Stubborn.class, options).run();
    }
  }

  public static final class Remember implements Workflows.Remember {
    @Override
    public void run(String text) {
      Map<String, Object> changes = new HashMap<>();
      changes.put("note", text);
      changes.put("gone", null);
      Workflow.upsertMemo(changes);
    }
  }

  public static final class Relabel implements Workflows.Relabel {
    private boolean open = true;

    @Override
    public String run(String customer, List<String> labels) {
      String before = Workflow.getTypedSearchAttributes().get(Workflows.CUSTOMER);
      Workflow.upsertTypedSearchAttributes(
          Workflows.CUSTOMER.valueSet(customer), Workflows.LABELS.valueSet(labels));
      Workflow.await(() -> !open);
      return before;
    }

    @Override
    public void close() {
      open = false;
    }
  }

  public static final class Explained implements Workflows.Explained {
    @Override
    public String run(String name) {
      var rest = TimerOptions.newBuilder().setSummary("a short rest").build();
      Workflow.newTimer(Duration.ofMillis(10), rest).get();
      var options =
          ActivityOptions.newBuilder()
              .setStartToCloseTimeout(Duration.ofSeconds(10))
              .setSummary("a greeting")
              .build();
      return Workflow.newActivityStub(Activities.class, options).greet(name);
    }
  }
}
