import { checkRewrite } from './check-rewrite-fixture.test.ts';

/** A query is refused without a word of it, or what is sent asks sealed attributes for sealed texts alone (T-083). */
export function fuzz(bytes: Buffer): void {
  checkRewrite(bytes.subarray(1).toString('utf8'), ((bytes[0] ?? 0) & 1) === 0 ? 1 : 2);
}

export function seeds(): string[] {
  return [
    "\0Customer = 'canary' AND NOT Region = 'x'",
    "\x01Tags IN ('canary', 'b') OR `Cust Name` != 'c'",
    '\0Customer IS NULL ORDER BY StartTime DESC',
    "\0(Region BETWEEN 1 AND 2) AND Status = 'Running' GROUP BY Status",
    "\0Customer STARTS_WITH 'canary'",
    '\0CloseTime > "2020-01-01" -- comment',
    "\x01Customer = 'it''s' /* c */",
    "\0ExecutionDuration = '5 minutes' LIMIT 1",
  ];
}

export const dictionary: string[] = [
  "'canary'",
  'Customer',
  ' AND ',
  ' OR ',
  ' NOT ',
  ' NOT IN (',
  '`',
  "''",
  '--',
  '/*',
];
