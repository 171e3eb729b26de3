import { cpus, totalmem } from 'node:os';
import type { Verdict } from './goals.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';

/** What figures depend on, and how seriously to take them. Only those of one machine and mode belong together. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly mode: 'full' | 'quick';
  readonly rounds: number;
  readonly calls: number;
}

export function describeMachine({ quick, rounds, callsTogether }: BenchOptions): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1_024 ** 3),
    node: process.version,
    mode: quick ? 'quick' : 'full',
    rounds,
    calls: callsTogether,
  };
}

/** Two tables for eyes, in Markdown: the goals and how they stand, then what was read of every subject. */
export function renderReport(
  machine: Machine,
  leftOut: readonly string[],
  readings: Readings,
  verdicts: readonly Verdict[],
): string {
  const { cores, processor, memoryGiB, node, mode, rounds, calls } = machine;
  const lines = [
    `${cores} cores (${processor}), ${memoryGiB} GiB, Node ${node}, ${mode} run, ${rounds} A B B A rounds of ${calls} calls`,
    'Absolute figures move from run to run; only the ratios of one run count.',
  ];
  if (mode === 'quick') lines.push('QUICK RUN: few calls and rounds; not for the record.');
  for (const reason of leftOut) lines.push(`Left out: ${reason.replaceAll(/\s+/g, ' ')}`);
  if (verdicts.length > 0) lines.push('', ...renderVerdicts(verdicts));
  lines.push('', ...renderReadings(readings));
  return lines.join('\n');
}

function renderVerdicts(verdicts: readonly Verdict[]): string[] {
  const body = verdicts.map(({ row, beyond, verdict }) => {
    const sign = row.better === 'lower' ? '<=' : '>=';
    const { figure, unit, value, goal, against, ours, theirs } = row;
    const measured = unit === 'ratio' ? short(value) : `${short(value)} ${unit}`;
    const other = theirs === null ? '-' : short(theirs);
    return [figure, against, `${sign} ${goal}`, `${sign} ${beyond}`, measured, verdict, short(ours), other];
  });
  return renderTable([
    ['Figure', 'Against', 'Goal', 'Beyond', 'Measured', 'Verdict', 'Ours', 'Theirs'],
    ...body,
  ]);
}

function renderReadings(readings: Readings): string[] {
  const body = readings.series().map(({ figure, unit, subject }) => {
    const spread = readings.spread(figure, subject);
    const range = spread === undefined ? [] : [spread.median, spread.min, spread.max].map(short);
    return [`${figure} (${unit})`, subject, ...range, String(spread?.readings ?? 0)];
  });
  return renderTable([['Read', 'Subject', 'Median', 'Min', 'Max', 'Readings'], ...body]);
}

function renderTable(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(3, ...table.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = table;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)];
}

function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toString();
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
