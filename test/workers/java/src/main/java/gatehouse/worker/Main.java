package gatehouse.worker;

import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.common.VersioningBehavior;
import io.temporal.common.WorkerDeploymentVersion;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.worker.WorkerDeploymentOptions;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A Worker and its Client in one process. MODE says what it is for: features, worker or starter. */
public final class Main {
  private static final String sdk = "java";

  private static final boolean allFeatures = Settings.optional("FEATURES", "").equals("all");

  /** A feature that hangs is a failed feature. The further ones wait for the server's own workflows. */
  private static final int featureTimeoutSeconds = allFeatures ? 40 : 12;

  /** Enough to keep a Worker busy, few enough that one start is not held up by another's deadline. */
  private static final int startsAtOnce = 20;

  private Main() {}

  public static void main(String[] arguments) {
    boolean ok = false;
    String error = null;
    try {
      ok = run();
    } catch (Exception caught) {
      error = Report.describe(caught);
    }
    exit(ok, error);
  }

  /** Ends at once: threads of the SDK and of a feature that hangs do not hold the process. */
  private static void exit(boolean ok, String error) {
    Report.line("done", true, "sdk", sdk, "ok", ok, "error", error);
    Runtime.getRuntime().halt(ok ? 0 : 1);
  }

  private static boolean run() throws Exception {
    Settings settings = Settings.read();
    WorkflowServiceStubs stubs = settings.connect();
    var options = 
        WorkflowClientOptions.newBuilder()
            .setNamespace(settings.namespace())
            .setDataConverter(Converters.chosen())
            .build();
    WorkflowClient client = WorkflowClient.newInstance(stubs, options);
    String mode = Settings.optional("MODE", "features");
    return switch (mode) {
      case "features" -> features(client);
      case "worker" -> stay(client, Settings.required("TASK_QUEUE"));
      case "starter" ->
          startMany(
              client,
              Settings.required("TASK_QUEUE"),
              Integer.parseInt(Settings.optional("COUNT", "1")));
      default ->
          throw new IllegalArgumentException("MODE is features, worker or starter, not " + mode);
    };
  }

  private static WorkerFactory startWorker(
      WorkflowClient client, String taskQueue, ActivitiesImpl activities) {
    return startWorker(client, taskQueue, activities, WorkerOptions.newBuilder());
  }

  /** A Worker of this version on the task queue of the same name. */
  static WorkerFactory startVersioned(WorkflowClient client, String deploymentName, String buildId) {
    var deployment =
        WorkerDeploymentOptions.newBuilder()
            .setVersion(new WorkerDeploymentVersion(deploymentName, buildId))
            .setUseVersioning(true)
            .setDefaultVersioningBehavior(VersioningBehavior.PINNED)
            .build();
    var options = WorkerOptions.newBuilder().setDeploymentOptions(deployment);
    return startWorker(client, deploymentName, new ActivitiesImpl(), options);
  }

  private static WorkerFactory startWorker(
      WorkflowClient client,
      String taskQueue,
      ActivitiesImpl activities,
      WorkerOptions.Builder options) {
    WorkerFactory factory = WorkerFactory.newInstance(client);
    options.setMaxHeartbeatThrottleInterval(Duration.ofMillis(200));
    // On a busy machine a thread that waits for its turn is no deadlock.
    options.setDefaultDeadlockDetectionTimeout(TimeUnit.SECONDS.toMillis(10));
    var worker = factory.newWorker(taskQueue, options.build());
    worker.registerWorkflowImplementationTypes(WorkflowsImpl.all);
    worker.registerActivitiesImplementations(activities);
    factory.start();
    return factory;
  }

  static void stop(WorkerFactory factory) {
    factory.shutdown();
    factory.awaitTermination(2, TimeUnit.SECONDS);
  }

  /** Runs them all at once, as an application would; one line each. True when all passed. */
  private static boolean features(WorkflowClient client) throws Exception {
    String prefix = sdk + "-" + UUID.randomUUID().toString().substring(0, 8);
    ActivitiesImpl noted = new ActivitiesImpl();
    WorkerFactory factory = startWorker(client, prefix, noted);
    ExecutorService pool = Executors.newCachedThreadPool();
    Map<String, Features.Feature> chosen = Features.all();
    if (allFeatures) chosen.putAll(MoreFeatures.all());
    var outcomes =
        chosen.entrySet().stream()
            .map(
                it -> {
                  Place place = new Place(client, noted, prefix, prefix + "-" + it.getKey());
                  return feature(pool, it.getKey(), () -> {
                    it.getValue().run(place);
                    return null;
                  });
                })
            .toList();
    boolean ok = outcomes.stream().allMatch(CompletableFuture::join);
    stop(factory);
    return ok;
  }

  private static CompletableFuture<Boolean> feature(
      ExecutorService pool, String name, Callable<Void> action) {
    long started = System.nanoTime();
    return CompletableFuture.supplyAsync(
            () -> {
              try {
                action.call();
                return "";
              } catch (Exception | AssertionError error) {
                return Report.describe(error);
              }
            },
            pool)
        .completeOnTimeout(
            "no end after " + featureTimeoutSeconds + " s", featureTimeoutSeconds, TimeUnit.SECONDS)
        .thenApply(
            error -> {
              long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
              boolean ok = error.isEmpty();
              Report.line("feature", name, "ok", ok, "ms", millis, "error", ok ? null : error);
              return ok;
            });
  }

  private static boolean stay(WorkflowClient client, String taskQueue) throws InterruptedException {
    WorkerFactory factory = startWorker(client, taskQueue, new ActivitiesImpl());
    // SIGTERM ends a JVM with 143 unless its hook ends it first.
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stop(factory);
                  exit(true, null);
                }));
    Report.line("ready", true);
    new CompletableFuture<Void>().join();
    return false;
  }

  /** Starts `count` echo workflows on another process's task queue and awaits what they answer. */
  private static boolean startMany(WorkflowClient client, String taskQueue, int count) throws Exception {
    String prefix = "starter-" + UUID.randomUUID().toString().substring(0, 8);
    AtomicInteger completed = new AtomicInteger();
    ExecutorService lanes = Executors.newFixedThreadPool(startsAtOnce);
    for (int number = 0; number < count; number++) {
      String id = prefix + "-" + number;
      lanes.execute(
          () -> {
            try {
              var options = WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(taskQueue).build();
              Workflows.Echo echo = client.newWorkflowStub(Workflows.Echo.class, options);
              Place.equal(echo.run(id), id);
              completed.incrementAndGet();
            } catch (Exception | AssertionError error) {
              Report.line("workflow", id, "ok", false, "error", Report.describe(error));
            }
          });
    }
    lanes.shutdown();
    lanes.awaitTermination(1, TimeUnit.DAYS);
    Report.line("started", count, "completed", completed.get());
    return completed.get() == count;
  }
}
