/** One segment of a path: fixed text, or the value of a field of the request. */
export type TemplatePart =
  | { readonly literal: string }
  /** Proto names from the request message down, such as `['execution', 'workflow_id']`. */
  | { readonly field: readonly string[] };

export interface PathTemplate {
  readonly text: string;
  readonly parts: readonly TemplatePart[];
}

/** A value that a path gives to a field of the request. */
export interface PathValue {
  readonly field: readonly string[];
  readonly value: string;
}

const LITERAL = /^[A-Za-z0-9._~-]+$/;
const FIELD = /^\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)\}$/;

/**
 * Parses a path of a `google.api.http` rule. Of that grammar (google/api/http.proto) the engine's API uses
 * literals and single-segment variables; patterns (`{name=a/*}`), wildcards and verbs are refused.
 * @throws Error for anything else: the API has grown, and so must this.
 */
export function parsePathTemplate(text: string): PathTemplate {
  if (!text.startsWith('/')) throw new Error(`HTTP rule path ${text} does not begin with a slash`);
  const parts = text
    .slice(1)
    .split('/')
    .map((segment): TemplatePart => {
      if (LITERAL.test(segment)) return { literal: segment };
      const path = FIELD.exec(segment)?.[1];
      if (path === undefined) throw new Error(`HTTP rule path ${text} has a segment that is not understood`);
      return { field: path.split('.') };
    });
  return { text, parts };
}

/** Do these decoded segments match? Literals exactly; a variable takes any one segment. */
export function matchTemplate(template: PathTemplate, segments: readonly string[]): PathValue[] | undefined {
  if (segments.length !== template.parts.length) return undefined;
  const values: PathValue[] = [];
  for (const [index, part] of template.parts.entries()) {
    const segment = segments[index] ?? '';
    if ('field' in part) values.push({ field: part.field, value: segment });
    else if (part.literal !== segment) return undefined;
  }
  return values;
}
