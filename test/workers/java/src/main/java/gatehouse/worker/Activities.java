package gatehouse.worker;

import io.temporal.activity.ActivityInterface;

@ActivityInterface
public interface Activities {
  String greet(String name);

  void tidy(String workflowId);

  String breakTwice();

  void beat(String workflowId);
}
