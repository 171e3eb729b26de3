package gatehouse.worker;

import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import java.io.File;
import java.time.Duration;
import javax.net.ssl.SSLException;

/** What the program was given, and nothing else: an address, a name to expect there, and a certificate. */
record Settings(String address, String namespace, Tls tls) {
  /** Null in the settings: plain TCP, for trying the program against a bare server. */
  record Tls(String serverName, File serverCa, File certificate, File key) {}

  static Settings read() {
    String certificate = optional("TEMPORAL_TLS_CERT", "");
    Tls tls =
        certificate.isEmpty()
            ? null
            : new Tls(
                required("TEMPORAL_TLS_SERVER_NAME"),
                new File(required("TEMPORAL_TLS_CA")),
                new File(certificate),
                new File(required("TEMPORAL_TLS_KEY")));
    return new Settings(required("TEMPORAL_ADDRESS"), required("TEMPORAL_NAMESPACE"), tls);
  }

  WorkflowServiceStubs connect() throws SSLException {
    var options = WorkflowServiceStubsOptions.newBuilder().setTarget(address);
    if (tls != null) {
      options.setSslContext(
          GrpcSslContexts.forClient()
              .trustManager(tls.serverCa)
              .keyManager(tls.certificate, tls.key)
              .build());
      options.setChannelInitializer(channel -> channel.overrideAuthority(tls.serverName));
    }
    return WorkflowServiceStubs.newConnectedServiceStubs(options.build(), Duration.ofSeconds(10));
  }

  static String required(String name) {
    String value = optional(name, "");
    if (value.isEmpty()) throw new IllegalArgumentException("set " + name);
    return value;
  }

  static String optional(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }
}
