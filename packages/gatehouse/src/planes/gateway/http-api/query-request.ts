import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { refuse } from '#base/model/refusals';
import { fieldNamed } from './field-lookup.ts';
import { goDurationToJson } from './go-duration.ts';
import { isObject, type JsonObject } from './request-json.ts';

/**
 * The request that a query describes, in protobuf's JSON: `execution.run_id=x`, repeated fields by repeating
 * the parameter. As in the engine's own API, parameters that are no field are ignored (`pretty` is one), and
 * so are fields that the path gives.
 * @throws Refusal `input_invalid` naming the field.
 */
export function queryRequest(
  type: DescMessage,
  query: readonly (readonly [string, string])[],
  inPath: readonly (readonly string[])[],
): JsonObject {
  const request: JsonObject = Object.create(null);
  for (const [name, value] of query) {
    const fields = fieldsAt(type, name.split('.'));
    const names = fields?.map((field) => field.name) ?? [];
    if (fields === undefined || inPath.some((path) => path.every((part, at) => names[at] === part))) continue;
    setField(request, fields, value);
  }
  return request;
}

/** Sets a field of the request, making the messages on the way to it. The last of the fields holds the value. */
export function setField(request: JsonObject, fields: readonly DescField[], text: string): void {
  let holder = request;
  for (const field of fields.slice(0, -1)) {
    holder = childOf(holder, field);
  }
  const last = fields.at(-1);
  if (last === undefined) return;
  if (last.fieldKind === 'map') throw invalid(last);
  if (last.fieldKind === 'list') {
    const before = holder[last.jsonName];
    holder[last.jsonName] = [...(Array.isArray(before) ? before : []), parseValue(last, text)];
    return;
  }
  if (Object.hasOwn(holder, last.jsonName)) {
    throw refuse('input_invalid', { publicDetail: `too many values for ${last.name}` });
  }
  holder[last.jsonName] = parseValue(last, text);
}

function childOf(holder: JsonObject, field: DescField): JsonObject {
  const before = holder[field.jsonName];
  if (isObject(before)) return before;
  const child: JsonObject = Object.create(null);
  holder[field.jsonName] = child;
  return child;
}

/** The fields along a path of names; undefined where there is no such path. */
export function fieldsAt(type: DescMessage, path: readonly string[]): DescField[] | undefined {
  const fields: DescField[] = [];
  let message: DescMessage | undefined = type;
  for (const [index, name] of path.entries()) {
    const field: DescField | undefined = message === undefined ? undefined : fieldNamed(message, name);
    if (field === undefined) return undefined;
    // Only single messages are stepped into.
    if (index < path.length - 1 && field.fieldKind !== 'message') return undefined;
    fields.push(field);
    message = field.message;
  }
  return fields;
}

// As Go's strconv.ParseBool reads them, which the engine uses.
const trueTexts: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falseTexts: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

function parseValue(field: DescField, text: string): unknown {
  if (field.message !== undefined) return messageOf(field, field.message, text);
  if (field.enum !== undefined) {
    const value = field.enum.values.find((each) => each.name === text || String(each.number) === text);
    if (value === undefined) throw invalid(field);
    return value.name;
  }
  if (scalarOf(field) !== ScalarType.BOOL) return text;
  if (trueTexts.has(text)) return true;
  if (falseTexts.has(text)) return false;
  throw invalid(field);
}

function scalarOf(field: DescField): ScalarType | undefined {
  return field.fieldKind === 'scalar' || field.fieldKind === 'list' ? field.scalar : undefined;
}

/** Only messages that have a text form can stand in a query. */
function messageOf(field: DescField, type: DescMessage, text: string): unknown {
  if (type.typeName === 'google.protobuf.Timestamp') return text;
  if (type.typeName === 'google.protobuf.FieldMask') {
    return text.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  }
  const duration = type.typeName === 'google.protobuf.Duration' ? goDurationToJson(text) : undefined;
  if (duration === undefined) throw invalid(field);
  return duration;
}

function invalid(field: DescField): Error {
  return refuse('input_invalid', { publicDetail: `the query's value for ${field.name} is not understood` });
}
