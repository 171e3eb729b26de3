import { z } from 'zod';
import { Secret } from '#base/crypto/secret';

/** The path of a file; resolve-values.ts has made it absolute and looked at it. */
export const file: z.ZodString = z.string().min(1, 'must be the path of a file');

/** Resolved before the schema is asked (load-config.ts), so that no value of a secret is ever in a plain object. */
export const secret: z.ZodCustom<Secret, Secret> = z.custom<Secret>(
  (value) => value instanceof Secret,
  'must be `${env:NAME}` or `file:PATH`',
);

/** A text of at least one character. */
export const text: z.ZodString = z.string().min(1);
