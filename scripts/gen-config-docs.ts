import {
  type ConfigSchemaNode,
  configJsonSchema,
} from '../packages/gatehouse/src/base/config/json-schema.ts';

/** docs/config.schema.json: for editors and for checks before a file is put in place. */
export function generateConfigSchema(): string {
  return `${JSON.stringify({ title: 'Gatehouse configuration', ...configJsonSchema() }, null, 2)}\n`;
}

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

/** docs/configuration.md: every key, from the schema. */
export function generateConfigDocs(): string {
  const schema = configJsonSchema();
  const rows = rowsOf(schema, '', new Set());
  return [
    '# Configuration of `gatehouse serve`',
    '',
    '<!-- Made by `npm run gen` from packages/gatehouse/src/base/config/schema.ts. Do not edit. -->',
    '',
    'One YAML file: `gatehouse serve --config gatehouse.yaml`. A file with a fault stops the start with every',
    'fault at once: key, line, what is wrong, what would be right. Unknown keys are faults. Relative paths are',
    'taken from the folder of the file. Secrets are written as `${env:NAME}` or `file:PATH`, never as they are;',
    'files that hold keys or secrets must be readable by their user only (`chmod 600`).',
    '[config.schema.json](config.schema.json) describes the same for editors.',
    '',
    '```yaml',
    'home: /var/lib/gatehouse',
    'domain: gatehouse.example.com',
    'region: aws-eu-west-1',
    'gateway:',
    '  grpc: { address: 0.0.0.0:7233 }',
    '  https: { address: 0.0.0.0:7243 }',
    '  certificateFile: server.pem',
    '  keyFile: server.key',
    'namespaces:',
    '  - { id: orders.acme1, caFile: orders-ca.pem, audit: strict }',
    '```',
    '',
    '## Changes while it runs',
    '',
    'The file and the files that it names are read again when they change, and at SIGHUP. Without a dropped',
    'connection that is still admitted, these take effect: `namespaces` (new ones, CA bundles, filters,',
    'retention, TLS policy, Nexus endpoints, audit mode, limits), `limits` (that of streams for new connections), the server',
    'certificate and its key, `gateway.drainSeconds` and `log.level`. Everything else needs a restart, and the log says so. A file with a fault is refused as a whole,',
    'the old state stays, and log and audit chain say so (`config.reload`). A namespace that is no longer in the',
    'file stays: taking a line out of a file must not delete data.',
    '',
    '## Keys',
    '',
    '| Key | Value | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ key, type, fallback, meaning }) => `| \`${key}\` | ${type} | ${fallback} | ${meaning} |`),
    '',
  ].join('\n');
}

/** @throws Error for a key that the schema does not describe. */
function rowsOf(node: ConfigSchemaNode, prefix: string, seen: Set<string>): readonly Row[] {
  const kinds = node.oneOf ?? [node];
  return kinds.flatMap((kind) => {
    const entry = kind.items;
    if (entry !== undefined) return rowsOf(entry, `${prefix}[]`, seen);
    return Object.entries(kind.properties ?? {}).flatMap(([name, child]) => {
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const known = seen.has(key);
      seen.add(key);
      const rows = rowsOf(child, key, seen);
      if (known) return rows;
      if (child.description === undefined) throw new Error(`the configuration key ${key} has no description`);
      const required = kind.required?.includes(name) ?? false;
      return [rowOf(key, child, { required, kinds }), ...rows];
    });
  });
}

function rowOf(
  key: string,
  node: ConfigSchemaNode,
  { required, kinds }: { readonly required: boolean; readonly kinds: readonly ConfigSchemaNode[] },
): Row {
  const name = key.split('.').at(-1) ?? '';
  // The key that tells the kinds apart holds one constant in each.
  const constants = kinds
    .map((kind) => kind.properties?.[name]?.const)
    .filter((value) => value !== undefined);
  return {
    key,
    type: constants.length > 0 ? constants.map((value) => `\`${String(value)}\``).join(', ') : typeOf(node),
    fallback: required
      ? '**required**'
      : node.default === undefined
        ? ''
        : `\`${JSON.stringify(node.default)}\``,
    meaning: (constants.length > 1
      ? kinds.map((kind) => kind.properties?.[name]?.description)
      : [node.description]
    )
      .join(' ')
      .replaceAll('|', '\\|'),
  };
}

function typeOf(node: ConfigSchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.items !== undefined)
    return node.maxItems === undefined ? 'list' : `list, at most ${node.maxItems}`;
  if (node.oneOf !== undefined || node.properties !== undefined) return 'mapping';
  if (node.type !== 'integer') return node.type ?? 'any';
  return node.minimum === undefined ? 'integer' : `${node.minimum} to ${node.maximum}`;
}
