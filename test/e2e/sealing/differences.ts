import type { JsonValue } from '@bufbuild/protobuf';
import { isObject } from './walk-json.ts';

/** Every place where two values differ, as a line that can be read; empty where they are the same. */
export function differences(
  a: JsonValue | undefined,
  b: JsonValue | undefined,
  path = '',
): readonly string[] {
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.max(a.length, b.length);
    return Array.from({ length }, (_, at) =>
      differences(a[at], b[at], `${path}[${nameOf(a[at]) ?? at}]`),
    ).flat();
  }
  if (isObject(a) && isObject(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], path === '' ? key : `${path}.${key}`));
  }
  const [left, right] = [JSON.stringify(a) ?? 'nothing', JSON.stringify(b) ?? 'nothing'];
  return left === right ? [] : [`${path}: ${left} is not ${right}`];
}

/** What tells items of a list apart for a reader. */
function nameOf(item: JsonValue | undefined): string | undefined {
  if (!isObject(item)) return undefined;
  const name = item['workflowId'] ?? item['eventType'];
  return typeof name === 'string' ? name.replace('EVENT_TYPE_', '') : undefined;
}
