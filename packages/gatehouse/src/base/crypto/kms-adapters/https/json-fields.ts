/** One value inside an answer, by the names that lead to it; `undefined` where there is none. */
export function fieldOf(json: unknown, ...path: readonly (string | number)[]): unknown {
  let value: unknown = json;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/** The same where it is text. */
export function textOf(json: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = fieldOf(json, ...path);
  return typeof value === 'string' ? value : undefined;
}

/** The bytes of base64 or base64url, and of nothing else. */
export function base64Of(text: string | undefined): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}
