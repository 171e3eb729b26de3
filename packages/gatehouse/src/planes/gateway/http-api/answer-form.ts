/** How JSON is written. */
export interface AnswerForm {
  /** Payloads as plain JSON values, where they have such a form. */
  readonly shorthand: boolean;
  readonly pretty: boolean;
}

const plain: AnswerForm = { shorthand: true, pretty: false };

/** The media types that the engine's API knows (service/frontend/protojson_marshaler.go); all else is plain. */
const forms: ReadonlyMap<string, AnswerForm> = new Map([
  ['application/json+pretty', { shorthand: true, pretty: true }],
  ['application/json+no-payload-shorthand', { shorthand: false, pretty: false }],
  ['application/json+pretty+no-payload-shorthand', { shorthand: false, pretty: true }],
]);

/** How a request's body is to be read. */
export function bodyForm(contentType: string | undefined): AnswerForm {
  const [mediaType = ''] = (contentType ?? '').split(';');
  return forms.get(mediaType.trim().toLowerCase()) ?? plain;
}

/** How the answer is to be written: by the query, else by Accept, else as the body came. */
export function answerForm(
  query: readonly (readonly [string, string])[],
  accept: string | undefined,
  contentType: string | undefined,
): AnswerForm {
  const has = (name: string): boolean => query.some(([key]) => key === name);
  const pretty = has('pretty');
  const full = has('noPayloadShorthand');
  if (pretty || full) return { pretty, shorthand: !full };
  return forms.get(accept ?? '') ?? bodyForm(contentType);
}
