import { GrpcStatus } from '../packages/gatehouse/src/base/model/grpc-status.ts';
import type { RefusalRow } from '../packages/gatehouse/src/base/model/refusal-rows/refusal-row.ts';
import { refusals } from '../packages/gatehouse/src/base/model/refusals.ts';

/** docs/refusals.md: every way in which Gatehouse says no, from the one table of them. */
export function generateRefusalDocs(): string {
  const rows: [string, RefusalRow][] = Object.entries(refusals);
  return [
    '# Refusals',
    '',
    '<!-- Made by `npm run gen` from packages/gatehouse/src/base/model/refusals.ts. Do not edit. -->',
    '',
    'Every way in which Gatehouse says no. The **code** is a stable word: it stands in the audit record (`reason`)',
    "and in the operator's log. The caller sees the status and the text, which may name a field but never a value,",
    'and the request id in the trailer `gatehouse-request-id`. Several codes share the text `Request unauthorized.`',
    'on purpose: a stranger must not learn which of them it was, nor whether the namespace exists. With the request',
    'id the platform team finds the code: `gatehouse audit search --request-id ID`.',
    '',
    '| Code | gRPC | HTTP | Text | What to change | Severity |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([code, { grpc, http, text, cure, severity }]) =>
        [`| \`${code}\``, `${GrpcStatus[grpc]} ${grpc}`, http, cell(text), cell(cure), `${severity} |`].join(
          ' | ',
        ),
      ),
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('`&lt;', '`<');
}
