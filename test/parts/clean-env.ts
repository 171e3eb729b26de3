/** What a child may know of this machine. An allow-list: the machine may set SSL_CERT_FILE, NODE_EXTRA_CA_CERTS or
 * GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, and a client that trusts by them proves nothing about the CA it was given. */
const allowed = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ', 'JAVA_HOME'];

export function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of allowed) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...extra };
}
