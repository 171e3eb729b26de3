import type { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import { describeKey, knownKeys } from './describe-key.ts';

/** Says in plain words what the schema found: what is wrong, and what would be right. Never the value. */
export function explainIssue(issue: z.core.$ZodIssue): readonly ConfigFault[] {
  const path = issue.path.map(String);
  const key = path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({
      key: [...path, name].join('.'),
      problem: explainUnknown(name, path),
    }));
  }
  const meaning = describeKey(path);
  const is = meaning === undefined ? '' : `: ${meaning}`;
  if (isMissing(issue)) return [{ key, problem: `is missing${is}` }];
  switch (issue.code) {
    case 'invalid_type':
      return [{ key, problem: `must be ${withArticle(issue.expected)}${is}` }];
    case 'invalid_value':
      return [{ key, problem: `must be one of ${listed(issue.values)}${is}` }];
    case 'invalid_union':
      return [
        {
          key,
          problem: `must be ${'options' in issue ? `one of ${listed(issue.options)}` : 'of a known kind'}`,
        },
      ];
    case 'too_small':
      return [
        {
          key,
          problem:
            issue.origin === 'string' ? `must not be empty${is}` : `must be at least ${issue.minimum}${is}`,
        },
      ];
    case 'too_big':
      return [
        {
          key,
          problem: `must be at most ${issue.maximum}${issue.origin === 'array' ? ' entries' : ''}${is}`,
        },
      ];
    default:
      return [{ key, problem: issue.message }];
  }
}

function listed(values: unknown): string {
  return Array.isArray(values) ? values.map(String).join(', ') : '';
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'custom');
}

function withArticle(noun: string): string {
  const plain: Readonly<Record<string, string>> = {
    object: 'a mapping of keys',
    array: 'a list',
    int: 'a whole number',
  };
  return plain[noun] ?? `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function explainUnknown(name: string, path: readonly string[]): string {
  const known = knownKeys(path);
  const near = known.find((candidate) => distance(candidate.toLowerCase(), name.toLowerCase()) <= 2);
  const cure = near === undefined ? `remove it; known here: ${known.join(', ')}` : `did you mean ${near}?`;
  return `is not a known key: ${cure}`;
}

/** Levenshtein's: how many letters differ. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
