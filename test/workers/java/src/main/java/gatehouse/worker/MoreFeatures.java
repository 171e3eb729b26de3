package gatehouse.worker;

import static gatehouse.worker.Place.check;
import static gatehouse.worker.Place.equal;
import static gatehouse.worker.Place.failure;
import static gatehouse.worker.Place.finish;
import static gatehouse.worker.Place.until;

import io.grpc.StatusRuntimeException;
import io.temporal.api.batch.v1.BatchOperationSignal;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.deployment.v1.WorkerDeploymentVersion;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.api.workflowservice.v1.DescribeBatchOperationRequest;
import io.temporal.api.workflowservice.v1.DescribeWorkerDeploymentVersionRequest;
import io.temporal.api.workflowservice.v1.ResetWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.SetWorkerDeploymentCurrentVersionRequest;
import io.temporal.api.workflowservice.v1.StartBatchOperationRequest;
import io.temporal.api.workflowservice.v1.UpdateWorkerDeploymentVersionMetadataRequest;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowTargetOptions;
import io.temporal.common.SearchAttributes;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.ChildWorkflowFailure;
import io.temporal.worker.WorkerFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Features that need something of their namespace: search attributes, and the server's own workflows. FEATURES=all.
 */
final class MoreFeatures {
  private MoreFeatures() {}

  static Map<String, Features.Feature> all() {
    Map<String, Features.Feature> all = new LinkedHashMap<>();
    all.put("child-failure", MoreFeatures::childFailure);
    all.put("upsert-memo", MoreFeatures::upsertMemo);
    all.put("user-metadata", MoreFeatures::userMetadata);
    all.put("search-attributes", MoreFeatures::searchAttributes);
    all.put("batch", MoreFeatures::batch);
    all.put("reset", MoreFeatures::reset);
    all.put("worker-versioning", MoreFeatures::workerVersioning);
    return all;
  }

  private static void childFailure(Place place) throws Exception {
    WorkflowStub stub = place.start("brokenParent");
    var child = failure(ChildWorkflowFailure.class, () -> stub.getResult(String.class));
    check(child.getCause() instanceof ActivityFailure, Report.describe(child));
    var broken = (ApplicationFailure) child.getCause().getCause();
    equal(broken.getOriginalMessage(), "broken at attempt 2");
    equal(broken.getDetails().get(0, Map.class), Map.of("attempt", 2));
    equal(((ApplicationFailure) broken.getCause()).getOriginalMessage(), "the root of it");
  }

  private static void upsertMemo(Place place) {
    Map<String, Object> memo = Map.of("gone", "soon forgotten", "kept", "from the start");
    var options = place.options().setMemo(memo).build();
    WorkflowStub stub = place.client().newUntypedWorkflowStub("remember", options);
    stub.start("from the workflow");
    stub.getResult(Void.class);
    var seen = stub.describe();
    // Behind a codec the server cannot know that an entry is to be deleted: its value is null then.
    equal(seen.getMemo("gone", String.class), null);
    equal(seen.getMemo("kept", String.class), "from the start");
    equal(seen.getMemo("note", String.class), "from the workflow");
  }

  private static void userMetadata(Place place) {
    var options =
        place.options().setStaticSummary("a summary").setStaticDetails("all the details").build();
    WorkflowStub stub = place.client().newUntypedWorkflowStub("explained", options);
    stub.start("you");
    equal(stub.getResult(String.class), "Hello, you");
    var seen = stub.describe();
    equal(
        List.of(seen.getStaticSummary(), seen.getStaticDetails()),
        List.of("a summary", "all the details"));
  }

  /**
   * They are found by equality, seen by the Workflow, replaced by it, and found again by their new values.
   */
  private static void searchAttributes(Place place) throws Exception {
    var given =
        SearchAttributes.newBuilder()
            .set(Workflows.CUSTOMER, "first customer")
            .set(Workflows.LABELS, List.of("red", "green label"))
            .set(Workflows.AMOUNT, 7L)
            .build();
    var options = place.options().setTypedSearchAttributes(given).build();
    WorkflowStub stub = place.client().newUntypedWorkflowStub("relabel", options);
    stub.start("second customer", List.of("blue"));
    for (String filter :
        List.of(
            "Customer = 'second customer'",
            "Customer IN ('third customer', 'second customer')",
            "Customer != 'first customer'",
            "Labels = 'blue' AND Amount = 7",
            "Labels IN ('green label', 'blue')")) {
      until(() -> count(place, filter) == 1 ? true : null);
    }
    for (String filter :
        List.of("Customer = 'first customer'", "Labels = 'red'", "Customer IS NULL")) {
      equal(count(place, filter), 0L);
    }
    var query = "Labels = 'blue' AND WorkflowId = '" + place.id() + "'";
    var listed = place.client().listExecutions(query).findFirst().orElseThrow();
    for (var seen : List.of(listed, stub.describe())) {
      var values = seen.getTypedSearchAttributes();
      equal(
          List.of(
              values.get(Workflows.CUSTOMER),
              values.get(Workflows.LABELS),
              values.get(Workflows.AMOUNT)),
          List.of("second customer", List.of("blue"), 7L));
    }
    stub.signal("close");
    equal(stub.getResult(String.class), "first customer");
  }

  private static long count(Place place, String filter) {
    var query = "WorkflowId = '" + place.id() + "' AND " + filter;
    return place.client().countWorkflows(query).getCount();
  }

  /** Sends a signal, with something in it, to whatever a filter finds. */
  private static void batch(Place place) throws Exception {
    List<WorkflowStub> stubs =
        List.of("-one", "-two").stream()
            .map(
                which -> {
                  var options = place.options().setWorkflowId(place.id() + which).build();
                  var stub = place.client().newUntypedWorkflowStub("mailbox", options);
                  stub.start();
                  return stub;
                })
            .toList();
    var ids =
        stubs.stream()
            .map(it -> "'" + it.getExecution().getWorkflowId() + "'")
            .collect(Collectors.joining(", "));
    var query = "WorkflowType = 'mailbox' AND WorkflowId IN (" + ids + ")";
    until(() -> place.client().countWorkflows(query).getCount() == 2 ? true : null);
    var service = place.service();
    var input = place.converter().toPayloads("to everybody").orElseThrow();
    service.startBatchOperation(
        StartBatchOperationRequest.newBuilder()
            .setNamespace(place.namespace())
            .setJobId(place.id())
            .setReason("all of them")
            .setVisibilityQuery(query)
            .setSignalOperation(
                BatchOperationSignal.newBuilder()
                    .setSignal("put")
                    .setInput(input)
                    .setIdentity("features"))
            .build());
    var asked =
        DescribeBatchOperationRequest.newBuilder()
            .setNamespace(place.namespace())
            .setJobId(place.id())
            .build();
    until(
        () -> service.describeBatchOperation(asked).getCompleteOperationCount() == 2 ? true : null);
    for (WorkflowStub stub : stubs) finish(stub, "to everybody");
  }

  /** A Workflow that has ended goes on from its first task, with the signals that it got after it. */
  private static void reset(Place place) {
    WorkflowStub mailbox = place.stub("mailbox");
    String runId = mailbox.start().getRunId();
    equal(mailbox.query("texts", List.class), List.of());
    mailbox.signal("put", "kept through a reset");
    finish(mailbox, "kept through a reset");
    var first =
        place.client().fetchHistory(place.id()).getHistory().getEventsList().stream()
            .filter(HistoryEvent::hasWorkflowTaskCompletedEventAttributes)
            .findFirst()
            .orElseThrow();
    var answer =
        place
            .service()
            .resetWorkflowExecution(
                ResetWorkflowExecutionRequest.newBuilder()
                    .setNamespace(place.namespace())
                    .setWorkflowExecution(
                        WorkflowExecution.newBuilder().setWorkflowId(place.id()).setRunId(runId))
                    .setReason("once more")
                    .setRequestId(UUID.randomUUID().toString())
                    .setWorkflowTaskFinishEventId(first.getEventId())
                    .build());
    var again =
        place
            .client()
            .newUntypedWorkflowStub(
                WorkflowTargetOptions.newBuilder()
                    .setWorkflowId(place.id())
                    .setRunId(answer.getRunId())
                    .build());
    equal(again.getResult(List.class), List.of("kept through a reset"));
  }

  /** A pinned Workflow runs on the version that was made current, whose metadata can be read back. */
  private static void workerVersioning(Place place) throws Exception {
    var version =
        WorkerDeploymentVersion.newBuilder()
            .setDeploymentName(place.id())
            .setBuildId("build-1")
            .build();
    WorkerFactory factory =
        Main.startVersioned(place.client(), version.getDeploymentName(), version.getBuildId());
    try {
      makeCurrent(place, version);
      var options = place.options().setTaskQueue(version.getDeploymentName()).build();
      WorkflowStub stub = place.client().newUntypedWorkflowStub("greeting", options);
      stub.start("version");
      equal(stub.getResult(String.class), "Hello, version");
      var info = stub.describe().getRawDescription().getWorkflowExecutionInfo();
      equal(info.getVersioningInfo().getDeploymentVersion().getBuildId(), version.getBuildId());
      var note = place.converter().toPayload("about this build").orElseThrow();
      place
          .service()
          .updateWorkerDeploymentVersionMetadata(
              UpdateWorkerDeploymentVersionMetadataRequest.newBuilder()
                  .setNamespace(place.namespace())
                  .setDeploymentVersion(version)
                  .setIdentity("features")
                  .putUpsertEntries("note", note)
                  .build());
      var seen =
          place
              .service()
              .describeWorkerDeploymentVersion(
                  DescribeWorkerDeploymentVersionRequest.newBuilder()
                      .setNamespace(place.namespace())
                      .setDeploymentVersion(version)
                      .build());
      var read = seen.getWorkerDeploymentVersionInfo().getMetadata().getEntriesOrThrow("note");
      equal(place.converter().fromPayload(read, String.class, String.class), "about this build");
    } finally {
      Main.stop(factory);
    }
  }

  /** The server knows a version when its Worker has polled, and says no until then. */
  private static void makeCurrent(Place place, WorkerDeploymentVersion version) throws Exception {
    until(
        () -> {
          try {
            return place
                .service()
                .setWorkerDeploymentCurrentVersion(
                    SetWorkerDeploymentCurrentVersionRequest.newBuilder()
                        .setNamespace(place.namespace())
                        .setDeploymentName(version.getDeploymentName())
                        .setBuildId(version.getBuildId())
                        .setIdentity("features")
                        .build());
          } catch (StatusRuntimeException notYet) {
            return null;
          }
        });
  }
}
