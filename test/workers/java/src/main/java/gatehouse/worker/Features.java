package gatehouse.worker;

import static gatehouse.worker.Place.check;
import static gatehouse.worker.Place.equal;
import static gatehouse.worker.Place.failure;
import static gatehouse.worker.Place.finish;
import static gatehouse.worker.Place.until;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.common.v1.Payload;
import io.temporal.api.common.v1.Payloads;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.client.schedules.Schedule;
import io.temporal.client.schedules.ScheduleActionExecutionStartWorkflow;
import io.temporal.client.schedules.ScheduleActionStartWorkflow;
import io.temporal.client.schedules.ScheduleClient;
import io.temporal.client.schedules.ScheduleClientOptions;
import io.temporal.client.schedules.ScheduleIntervalSpec;
import io.temporal.client.schedules.ScheduleOptions;
import io.temporal.client.schedules.ScheduleSpec;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TerminatedFailure;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The features, each a method that throws when something is not as the SDK promises. */
final class Features {
  interface Feature {
    void run(Place place) throws Exception;
  }

  private Features() {}

  static Map<String, Feature> all() {
    Map<String, Feature> all = new LinkedHashMap<>();
    all.put("workflow", place -> place.answers("héllo", "echo", "héllo"));
    all.put("activity", place -> place.answers("Hello, gate", "greeting", "gate"));
    all.put("local-activity", place -> place.answers("Hello, gate", "localGreeting", "gate"));
    all.put("child-workflow", place -> place.answers("to the child", "parent", "to the child"));
    all.put("timer", place -> check(place.start("nap").getResult(Long.class) >= 1000, "too short"));
    all.put("signal", Features::signal);
    all.put("query", Features::query);
    all.put("update", Features::update);
    all.put("update-rejected", Features::updateRejected);
    all.put("update-with-start", Features::updateWithStart);
    all.put("signal-with-start", Features::signalWithStart);
    all.put("schedule", Features::schedule);
    all.put("cancellation", Features::cancellation);
    all.put("terminate", Features::terminate);
    all.put("activity-failure", Features::activityFailure);
    all.put("heartbeat", Features::heartbeat);
    all.put("continue-as-new", Features::continueAsNew);
    all.put("memo", Features::memo);
    all.put("describe", Features::describe);
    all.put("visibility", Features::visibility);
    all.put("history", Features::history);
    return all;
  }

  private static void signal(Place place) {
    WorkflowStub mailbox = place.start("mailbox");
    mailbox.signal("put", "first");
    mailbox.signal("put", "second");
    finish(mailbox, "first", "second");
  }

  private static void query(Place place) {
    WorkflowStub mailbox = place.start("mailbox");
    mailbox.signal("put", "asked for");
    equal(mailbox.query("texts", List.class), List.of("asked for"));
    finish(mailbox, "asked for");
  }

  private static void update(Place place) {
    WorkflowStub mailbox = place.start("mailbox");
    equal(mailbox.update("add", Integer.class, "one"), 1);
    finish(mailbox, "one");
  }

  private static void updateRejected(Place place) throws Exception {
    WorkflowStub mailbox = place.start("mailbox");
    var error = failure(WorkflowUpdateException.class, () -> mailbox.update("add", Integer.class, ""));
    check(error.getCause() instanceof ApplicationFailure, Report.describe(error));
    equal(((ApplicationFailure) error.getCause()).getOriginalMessage(), "an empty text is not kept");
    finish(mailbox);
  }

  private static void updateWithStart(Place place) {
    var policy = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
    var options = place.options().setWorkflowIdConflictPolicy(policy).build();
    WorkflowStub mailbox = place.client().newUntypedWorkflowStub("mailbox", options);
    var update =
        UpdateOptions.newBuilder(Integer.class)
            .setUpdateName("add")
            .setWaitForStage(WorkflowUpdateStage.COMPLETED)
            .build();
    equal(mailbox.executeUpdateWithStart(update, new Object[] {"at once"}, new Object[] {}), 1);
    finish(mailbox, "at once");
  }

  private static void signalWithStart(Place place) {
    WorkflowStub mailbox = place.stub("mailbox");
    mailbox.signalWithStart("put", new Object[] {"at once"}, new Object[] {});
    finish(mailbox, "at once");
  }

  private static void schedule(Place place) throws Exception {
    var schedules =
        ScheduleClient.newInstance(
            place.client().getWorkflowServiceStubs(),
            ScheduleClientOptions.newBuilder()
                .setNamespace(place.namespace())
                .setDataConverter(place.converter())
                .build());
    var action =
        ScheduleActionStartWorkflow.newBuilder()
            .setWorkflowType("echo")
            .setArguments("on time")
            .setOptions(place.options().setWorkflowId(place.id() + "-run").build())
            .build();
    var spec =
        ScheduleSpec.newBuilder()
            .setIntervals(List.of(new ScheduleIntervalSpec(Duration.ofHours(1))))
            .build();
    var schedule =
        schedules.createSchedule(
            place.id(),
            Schedule.newBuilder().setAction(action).setSpec(spec).build(),
            ScheduleOptions.newBuilder().build());
    schedule.trigger();
    var run =
        until(() -> schedule.describe().getInfo().getRecentActions().stream().findFirst().orElse(null));
    var started = (ScheduleActionExecutionStartWorkflow) run.getAction();
    equal(place.client().newUntypedWorkflowStub(started.getWorkflowId()).getResult(String.class), "on time");
    schedule.delete();
    var gone = failure(StatusRuntimeException.class, schedule::describe);
    equal(gone.getStatus().getCode(), Status.Code.NOT_FOUND);
  }

  private static void cancellation(Place place) throws Exception {
    WorkflowStub stub = place.start("cleanup");
    until(
        () ->
            events(place).stream().anyMatch(HistoryEvent::hasTimerStartedEventAttributes) ? true : null);
    stub.cancel();
    failure(CanceledFailure.class, () -> stub.getResult(Void.class));
    check(place.noted().tidied.contains(place.id()), "the cleanup did not run");
  }

  private static void terminate(Place place) throws Exception {
    WorkflowStub stub = place.start("mailbox");
    // Once it has begun.
    equal(stub.query("texts", List.class), List.of());
    stub.terminate("enough");
    failure(TerminatedFailure.class, () -> stub.getResult(Void.class));
  }

  /** The activity is tried again once, then fails for good; the caller sees the whole chain. */
  private static void activityFailure(Place place) throws Exception {
    WorkflowStub stub = place.start("stubborn");
    var failed = failure(ActivityFailure.class, () -> stub.getResult(String.class));
    check(failed.getCause() instanceof ApplicationFailure, Report.describe(failed));
    var broken = (ApplicationFailure) failed.getCause();
    equal(
        List.of(broken.getOriginalMessage(), broken.getType(), broken.isNonRetryable()),
        List.of("broken at attempt 2", "Broken", true));
    equal(broken.getDetails().get(0, Map.class), Map.of("attempt", 2));
    check(broken.getCause() instanceof ApplicationFailure, Report.describe(broken));
    equal(((ApplicationFailure) broken.getCause()).getOriginalMessage(), "the root of it");
  }

  private static void heartbeat(Place place) throws Exception {
    WorkflowStub stub = place.start("heart");
    Payload details =
        until(
            () ->
                stub.describe().getRawDescription().getPendingActivitiesList().stream()
                    .flatMap(it -> it.getHeartbeatDetails().getPayloadsList().stream())
                    .findFirst()
                    .orElse(null));
    var read = place.converter().fromPayload(details, Map.class, Map.class);
    check(read.get("count") instanceof Integer count && count > 0, "the details are " + read);
    stub.cancel();
    failure(CanceledFailure.class, () -> stub.getResult(Void.class));
    check(place.noted().stopped.contains(place.id()), "the activity was not told");
  }

  private static void continueAsNew(Place place) {
    WorkflowStub stub = place.stub("countdown");
    String firstRunId = stub.start(3, 0).getRunId();
    equal(stub.getResult(Integer.class), 4);
    var last = place.client().newUntypedWorkflowStub(place.id()).describe();
    check(!last.getExecution().getRunId().equals(firstRunId), "the last run is the first");
  }

  private static void memo(Place place) {
    // In an order of its own, which is the same in every process.
    Map<String, Object> note = new TreeMap<>(Map.of("text", "remember", "number", 7));
    var options = place.options().setMemo(Map.of("note", note)).build();
    WorkflowStub stub = place.client().newUntypedWorkflowStub("echo", options);
    stub.start("");
    equal(stub.describe().getMemo("note", Map.class), note);
    stub.getResult(String.class);
  }

  private static void describe(Place place) {
    WorkflowStub mailbox = place.start("mailbox");
    var seen = mailbox.describe();
    equal(
        List.of(seen.getWorkflowType(), seen.getTaskQueue(), seen.getStatus()),
        List.of("mailbox", place.prefix(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING));
    finish(mailbox);
    equal(mailbox.describe().getStatus(), WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED);
  }

  private static void visibility(Place place) throws Exception {
    WorkflowStub mailbox = place.start("mailbox");
    String query = "WorkflowId = '" + place.id() + "'";
    until(() -> place.client().countWorkflows(query).getCount() == 1 ? true : null);
    var found = until(() -> place.client().listExecutions(query).findFirst().orElse(null));
    equal(
        List.of(found.getExecution().getWorkflowId(), found.getWorkflowType(), found.getStatus()),
        List.of(place.id(), "mailbox", WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING));
    finish(mailbox);
  }

  private static void history(Place place) {
    place.answers("Hello, past", "greeting", "past");
    List<HistoryEvent> events = events(place);
    equal(text(place, events.get(0).getWorkflowExecutionStartedEventAttributes().getInput()), "past");
    var last = events.get(events.size() - 1).getWorkflowExecutionCompletedEventAttributes();
    equal(text(place, last.getResult()), "Hello, past");
  }

  private static List<HistoryEvent> events(Place place) {
    return place.client().fetchHistory(place.id()).getHistory().getEventsList();
  }

  private static String text(Place place, Payloads payloads) {
    return place.converter().fromPayload(payloads.getPayloads(0), String.class, String.class);
  }
}
