import type { EndpointFile } from '#app/endpoint-file';

/** What a person reads when `up` is ready: where everything is, and commands to copy. */
export function describeUp(endpoint: EndpointFile, home: string): string {
  const [first] = endpoint.namespaces;
  if (first === undefined) return `Gatehouse is up at ${endpoint.grpc}.\n`;
  const tls = [
    `--tls-ca-path ${endpoint.serverCa}`,
    `--tls-cert-path ${first.clientCert}`,
    `--tls-key-path ${first.clientKey}`,
    `--tls-server-name ${first.host}`,
  ].join(' \\\n    ');
  const namespaces = endpoint.namespaces.map(({ id, host }) => `    ${id.padEnd(24)} ${host}`).join('\n');
  return `
Gatehouse is up.

  gRPC        ${endpoint.grpc}
  HTTPS API   ${endpoint.https ?? 'closed'}
  Home        ${home}
  Namespaces
${namespaces}

Temporal CLI
  temporal workflow list --address ${endpoint.grpc} --namespace ${first.id} \\
    ${tls}

grpcurl
  grpcurl -cacert ${endpoint.serverCa} \\
    -cert ${first.clientCert} -key ${first.clientKey} \\
    -servername ${first.host} \\
    -d '{"namespace":"${first.id}"}' \\
    ${endpoint.grpc} temporal.api.workflowservice.v1.WorkflowService/CountWorkflowExecutions

TypeScript SDK
  import { readFileSync } from 'node:fs';
  const connection = await NativeConnection.connect({
    address: '${endpoint.grpc}',
    tls: {
      serverNameOverride: '${first.host}',
      serverRootCACertificate: readFileSync('${endpoint.serverCa}'),
      clientCertPair: {
        crt: readFileSync('${first.clientCert}'),
        key: readFileSync('${first.clientKey}'),
      },
    },
  });
  // then: namespace: '${first.id}'

Stop with Ctrl-C. All data stays in the home.
`;
}
