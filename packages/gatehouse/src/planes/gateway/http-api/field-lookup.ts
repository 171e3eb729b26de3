import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf';

const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();
const valuesByName = new WeakMap<DescEnum, ReadonlyMap<string, string>>();

/** A field by its proto name or its JSON name: protobuf's JSON accepts both. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = fieldsByName.get(message);
  if (fields === undefined) {
    fields = new Map(
      message.fields.flatMap(
        (field) =>
          [
            [field.name, field],
            [field.jsonName, field],
          ] as const,
      ),
    );
    fieldsByName.set(message, fields);
  }
  return fields.get(name);
}

/**
 * The API's name of an enum value. The engine's JSON also takes the names of its first API, `AllowDuplicate`
 * for `WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE`.
 */
export function enumValueNamed(type: DescEnum, name: string): string | undefined {
  let values = valuesByName.get(type);
  if (values === undefined) {
    values = new Map(
      type.values.flatMap(
        (value) =>
          [
            [value.name, value.name],
            [folded(value.name), value.name],
          ] as const,
      ),
    );
    valuesByName.set(type, values);
  }
  return values.get(name) ?? values.get(folded(type.name + name));
}

function folded(name: string): string {
  // A space cannot be in a real name, so that a folded one is never taken for it.
  return ` ${name.replaceAll('_', '').toUpperCase()}`;
}
