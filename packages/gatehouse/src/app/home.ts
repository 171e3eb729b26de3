import { join } from 'node:path';

/** Where everything of one installation lies. */
export interface Home {
  readonly root: string;
  readonly endpointFile: string;
  readonly serverCaFile: string;
  readonly serverCaKeyFile: string;
  readonly serverCertificateFile: string;
  readonly serverKeyFile: string;
  readonly namespaces: string;
  readonly audit: string;
  readonly auditKeyFile: string;
  /** Keys of what is personal in the audit chain, one file a month. */
  readonly auditDataKeys: string;
  readonly logs: string;
  readonly kmsKeyFile: string;
  readonly directoryFile: string;
  readonly directoryCopyFile: string;
}

/** @param root absolute. */
export function homeAt(root: string): Home {
  return {
    root,
    endpointFile: join(root, 'endpoint.json'),
    serverCaFile: join(root, 'ca.pem'),
    serverCaKeyFile: join(root, 'keys', 'server-ca.key'),
    serverCertificateFile: join(root, 'keys', 'server.pem'),
    serverKeyFile: join(root, 'keys', 'server.key'),
    namespaces: join(root, 'namespaces'),
    audit: join(root, 'audit'),
    auditKeyFile: join(root, 'keys', 'audit-signing-key.sealed'),
    auditDataKeys: join(root, 'keys', 'audit-data'),
    logs: join(root, 'logs'),
    kmsKeyFile: join(root, 'keys', 'local-kms.key'),
    directoryFile: join(root, 'directory', 'directory.db'),
    directoryCopyFile: join(root, 'directory', 'copy.sealed'),
  };
}

/** The files of one namespace that `up` makes for its users. */
export function namespaceFiles(
  home: Home,
  id: string,
): Readonly<Record<'folder' | 'caCert' | 'caKey' | 'clientCert' | 'clientKey', string>> {
  const folder = join(home.namespaces, id);
  return {
    folder,
    caCert: join(folder, 'ca.pem'),
    caKey: join(folder, 'ca.key'),
    clientCert: join(folder, 'client.pem'),
    clientKey: join(folder, 'client.key'),
  };
}
