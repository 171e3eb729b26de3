import { z } from 'zod';
import { configSchema } from './schema.ts';

/** As much of JSON Schema as the configuration uses. */
export interface ConfigSchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, ConfigSchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: ConfigSchemaNode;
  readonly oneOf?: readonly ConfigSchemaNode[];
  readonly anyOf?: readonly ConfigSchemaNode[];
}

/** How a secret may be written. */
const SECRET_PATTERN = '^(\\$\\{env:[A-Za-z_][A-Za-z0-9_]*\\}|file:.+)$';

/** The JSON Schema (2020-12) of the file as it is written: before defaults, references still in place. */
export function configJsonSchema(): ConfigSchemaNode {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    // One definition may stand in several places, and readers of the file should not have to follow links.
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type !== 'custom') return;
      jsonSchema.type = 'string';
      jsonSchema.pattern = SECRET_PATTERN;
    },
  }) as ConfigSchemaNode;
}
