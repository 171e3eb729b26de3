import { type ConfigSchemaNode, configJsonSchema } from './json-schema.ts';

/** What the schema says of a key, as documented. */
export function describeKey(path: readonly string[]): string | undefined {
  return lookUp(path)[0]?.description;
}

/** The keys that may stand in a place, of whatever kind it is. */
export function knownKeys(path: readonly string[]): readonly string[] {
  return [
    ...new Set(
      lookUp(path).flatMap((node) => kinds(node).flatMap((kind) => Object.keys(kind.properties ?? {}))),
    ),
  ];
}

/** The schema of a place; several where it depends on the kind. */
function lookUp(path: readonly string[]): readonly ConfigSchemaNode[] {
  let nodes: readonly ConfigSchemaNode[] = [configJsonSchema()];
  for (const name of path) {
    nodes = nodes.flatMap(kinds).flatMap((node) => {
      const child = node.items ?? node.properties?.[name];
      return child === undefined ? [] : [child];
    });
  }
  return nodes;
}

function kinds(node: ConfigSchemaNode): readonly ConfigSchemaNode[] {
  return node.oneOf ?? node.anyOf ?? [node];
}
