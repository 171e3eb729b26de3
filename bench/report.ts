import { cpus, totalmem } from 'node:os';
import type { Row } from './goals.ts';
import type { Readings } from './readings.ts';

/** What absolute figures depend on, and how seriously to take them. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly mode: 'full' | 'quick';
  readonly rounds: number;
  /** What was asked for and could not be measured, each with the reason. */
  readonly skipped: readonly string[];
}

export function describeMachine(mode: 'full' | 'quick', rounds: number, skipped: readonly string[]): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1_024 ** 3),
    node: process.version,
    mode,
    rounds,
    skipped,
  };
}

/** Two tables for eyes: what was read of every subject, then the ratios beside their goals. */
export function renderReport(machine: Machine, readings: Readings, rows: readonly Row[]): string {
  const lines = [
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.mode} run, ${machine.rounds} A B B A rounds`,
    'Absolute figures move from run to run; only the ratios of one run count.',
  ];
  if (machine.mode === 'quick') lines.push('QUICK RUN: few calls and rounds; not for the record.');
  for (const reason of machine.skipped) lines.push(`Left out: ${reason}`);
  lines.push('', ...renderReadings(readings));
  if (rows.length > 0) lines.push('', ...renderRows(rows));
  return lines.join('\n');
}

function renderReadings(readings: Readings): string[] {
  const subjects = ['direct', 'nginx', 'gateway', 'rival'].filter((subject) =>
    readings.figures().some(({ figure }) => readings.spread(figure, subject) !== undefined),
  );
  const body = readings.figures().map(({ figure, unit }) => [
    `${figure} (${unit})`,
    ...subjects.map((subject) => {
      const spread = readings.spread(figure, subject);
      if (spread === undefined) return '-';
      const range = spread.readings > 1 ? ` (${short(spread.min)}..${short(spread.max)})` : '';
      return `${short(spread.median)}${range}`;
    }),
  ]);
  return renderTable([['Median (min..max)', ...subjects], ...body]);
}

function renderRows(rows: readonly Row[]): string[] {
  const body = rows.map(({ figure, unit, value, goal, better, against, ours, theirs }) => {
    const met = better === 'lower' ? value <= goal : value >= goal;
    return [
      figure,
      `${short(value)} ${unit}`,
      `${better === 'lower' ? '<=' : '>='} ${goal}`,
      met ? 'met' : 'missed',
      against,
      short(ours),
      theirs === null ? '-' : short(theirs),
    ];
  });
  return renderTable([['Figure', 'Value', 'Goal', '', 'Against', 'Ours', 'Theirs'], ...body]);
}

function renderTable(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  );
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toString();
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
