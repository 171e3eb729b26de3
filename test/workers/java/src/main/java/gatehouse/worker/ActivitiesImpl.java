package gatehouse.worker;

import io.temporal.activity.Activity;
import io.temporal.client.ActivityCompletionException;
import io.temporal.failure.ApplicationFailure;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The activities, and what they noted in this process for the features to look at. */
final class ActivitiesImpl implements Activities {
  /** Workflow ids whose cleanup ran. */
  final Set<String> tidied = ConcurrentHashMap.newKeySet();

  /** Workflow ids whose heartbeating activity saw its cancellation. */
  final Set<String> stopped = ConcurrentHashMap.newKeySet();

  @Override
  public String greet(String name) {
    return "Hello, " + name;
  }

  @Override
  public void tidy(String workflowId) {
    tidied.add(workflowId);
  }

  /** Fails in a way that is retried, then in a way that is not; both with a cause. */
  @Override
  public String breakTwice() {
    int attempt = Activity.getExecutionContext().getInfo().getAttempt();
    throw ApplicationFailure.newBuilder()
        .setMessage("broken at attempt " + attempt)
        .setType("Broken")
        .setNonRetryable(attempt > 1)
        .setDetails(Map.of("attempt", attempt))
        .setCause(new IllegalStateException("the root of it"))
        .build();
  }

  /** Beats until it is cancelled. */
  @Override
  public void beat(String workflowId) {
    try {
      for (int count = 1; ; count++) {
        Activity.getExecutionContext().heartbeat(Map.of("count", count));
        Thread.sleep(100);
      }
    } catch (ActivityCompletionException cancelled) {
      stopped.add(workflowId);
      throw cancelled;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
