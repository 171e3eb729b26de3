import type { EndpointFile } from '#app/endpoint-file';

/** What a person reads when `up` is ready: where everything is, and commands to copy. */
export function describeUp(endpoint: EndpointFile, home: string): string {
  const [first] = endpoint.namespaces;
  if (first === undefined) return `Gatehouse is up at ${endpoint.grpc}.\n`;
  const [ca, cert, key] = [endpoint.serverCa, first.clientCert, first.clientKey].map(quoteForShell);
  const namespaces = endpoint.namespaces.map(({ id, host }) => `    ${id.padEnd(24)} ${host}`).join('\n');
  return `
Gatehouse is up.

  gRPC        ${endpoint.grpc}
  HTTPS API   ${endpoint.https ?? 'closed'}
  Home        ${home}
  Namespaces (with their TLS server names)
${namespaces}

Temporal CLI
  temporal workflow list --address ${endpoint.grpc} --namespace ${first.id} \\
    --tls-server-name ${first.host} \\
    --tls-ca-path ${ca} \\
    --tls-cert-path ${cert} \\
    --tls-key-path ${key}

grpcurl
  grpcurl -cacert ${ca} \\
    -cert ${cert} \\
    -key ${key} \\
    -servername ${first.host} \\
    -d '{"namespace":"${first.id}"}' \\
    ${endpoint.grpc} temporal.api.workflowservice.v1.WorkflowService/CountWorkflowExecutions

TypeScript SDK
${typescript(endpoint, first)}

Stop with Ctrl-C. All data stays in the home; the next start takes seconds.
`;
}

function typescript(endpoint: EndpointFile, namespace: EndpointFile['namespaces'][number]): string {
  return `  import { readFileSync } from 'node:fs';
  import { Client, Connection } from '@temporalio/client';

  const connection = await Connection.connect({
    address: '${endpoint.grpc}',
    tls: {
      serverNameOverride: '${namespace.host}',
      serverRootCACertificate: readFileSync(${quoteForTypeScript(endpoint.serverCa)}),
      clientCertPair: {
        crt: readFileSync(${quoteForTypeScript(namespace.clientCert)}),
        key: readFileSync(${quoteForTypeScript(namespace.clientKey)}),
      },
    },
  });
  const client = new Client({ connection, namespace: '${namespace.id}' });
  console.log(await client.workflow.count());
  await connection.close();
  // A Worker takes the same settings: NativeConnection.connect of '@temporalio/worker'.`;
}

function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function quoteForTypeScript(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
