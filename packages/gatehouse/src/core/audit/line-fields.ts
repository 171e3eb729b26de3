/** Names of fields, and what each must be. */
export type FieldTypes = Readonly<Record<string, 'string' | 'number'>>;

export type FieldsOf<Types extends FieldTypes> = {
  readonly [Name in keyof Types]: Types[Name] extends 'string' ? string : number;
};

/**
 * The fields of a line that is whole in itself. Its hash says nothing of who wrote it: whoever can write into the
 * folder can write a line with a right hash around anything.
 * @returns undefined where it is no JSON object, or a field is missing or of another type.
 */
export function lineFields<const Types extends FieldTypes>(
  line: string,
  types: Types,
): FieldsOf<Types> | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    // A whole line begins with a brace.
    fields = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const isWhole = Object.entries(types).every(([name, type]) => typeof fields[name] === type);
  return isWhole ? (fields as FieldsOf<Types>) : undefined;
}
