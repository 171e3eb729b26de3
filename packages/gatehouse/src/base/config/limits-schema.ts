import { z } from 'zod';
import {
  connectionLimitRules,
  type LimitRule,
  namespaceLimitRules,
  sharedByRule,
  sourceLimitRules,
} from '#base/model/limits';

const numberOf = (rule: LimitRule): z.ZodInt => z.int().min(rule.min).max(rule.max);

const withDefault = (rule: LimitRule): z.ZodDefault<z.ZodInt> =>
  numberOf(rule).default(rule.default).describe(rule.about);

/** Keys, bounds, defaults and texts are base/model/limits.ts: the directory and the data plane use the same. */
function shapeOf<Key extends string, Part>(
  rules: Readonly<Record<Key, LimitRule>>,
  part: (rule: LimitRule) => Part,
): Record<Key, Part> {
  const entries = Object.entries<LimitRule>(rules).map(([key, rule]) => [key, part(rule)]);
  return Object.fromEntries(entries) as Record<Key, Part>;
}

/** How much each may ask of this platform. */
export const limits = z
  .strictObject({
    sharedBy: withDefault(sharedByRule),
    namespace: z
      .strictObject(shapeOf(namespaceLimitRules, withDefault))
      .prefault({})
      .describe('What a namespace may ask that has no `limits` of its own, by all its connections together.'),
    connection: z
      .strictObject(shapeOf(connectionLimitRules, withDefault))
      .prefault({})
      .describe('What one connection may ask.'),
    source: z
      .strictObject(shapeOf(sourceLimitRules, withDefault))
      .prefault({})
      .describe('What one network address may ask before anybody knows who it is.'),
  })
  .prefault({})
  .describe('How much each may ask: beyond it RESOURCE_EXHAUSTED, which SDKs wait out.');

/** Those of one namespace that differ. */
export const namespaceLimits = z
  .strictObject(
    shapeOf(namespaceLimitRules, (rule) =>
      numberOf(rule).optional().describe(`${rule.about} Absent: as in \`limits.namespace\`.`),
    ),
  )
  .prefault({})
  .describe('Its own limits, where they differ from `limits.namespace`.');
