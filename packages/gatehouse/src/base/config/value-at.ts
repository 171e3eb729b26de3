/** The value at a dotted key, or undefined where there is none. */
export function valueAt(config: unknown, key: string): unknown {
  let value = config;
  for (const name of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
