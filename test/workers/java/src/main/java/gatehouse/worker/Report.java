package gatehouse.worker;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Standard output is the report: one JSON object a line. Everything else goes to standard error. */
final class Report {
  private static final ObjectMapper json = new ObjectMapper();

  private Report() {}

  /** Writes pairs of name and value; a pair without a value is left out. */
  static synchronized void line(Object... pairs) {
    Map<String, Object> line = new LinkedHashMap<>();
    for (int at = 0; at < pairs.length; at += 2) {
      if (pairs[at + 1] != null) line.put((String) pairs[at], pairs[at + 1]);
    }
    try {
      byte[] text = (json.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8);
      System.out.write(text, 0, text.length);
      System.out.flush();
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** One line for a whole chain of causes, with the gRPC status where one of them carries it. */
  static String describe(Throwable error) {
    StringBuilder text = new StringBuilder();
    int depth = 0;
    for (Throwable at = error; at != null && depth < 6; at = at.getCause(), depth++) {
      if (depth > 0) text.append(" <- ");
      text.append(at.getClass().getSimpleName()).append(": ").append(at.getMessage());
      if (at instanceof StatusRuntimeException status) {
        text.append(" (grpc ").append(status.getStatus().getCode().value()).append(")");
      }
    }
    return text.toString();
  }
}
