/**
 * Names and values in turn, as they were sent; names are in lower case (RFC 9113 section 8.2.1). One character is one
 * byte: what lies above U+00FF would be cut, so text of ours is encoded before it gets here.
 */
export type HeaderFields = readonly string[];

/** @returns the values of a name, joined by `, ` where it was sent more than once (RFC 9110 section 5.3). */
export function fieldOf(fields: HeaderFields, name: string): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] !== name) continue;
    const value = fields[at + 1] ?? '';
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}

/** All fields by name, joined in the same way: an object without a prototype, since the names are a stranger's. */
export function fieldsByName(fields: HeaderFields): Record<string, string> {
  const byName = Object.create(null) as Record<string, string>;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    const value = fields[at + 1] ?? '';
    byName[name] = byName[name] === undefined ? value : `${byName[name]}, ${value}`;
  }
  return byName;
}
