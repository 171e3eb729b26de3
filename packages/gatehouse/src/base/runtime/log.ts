/** Structured log lines for the operator. Values are plain data; secrets are `Secret` and print as `[secret]`. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too. */
  with(fields: LogFields): Log;
}

export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly now?: () => number;
}

function plain(value: unknown): unknown {
  if (value instanceof Error) {
    const code = (value as { code?: unknown }).code;
    const detail = (value as { detail?: unknown }).detail;
    return {
      name: value.name,
      message: value.message,
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
      ...(value.cause === undefined ? {} : { cause: plain(value.cause) }),
      stack: value.stack,
    };
  }
  if (typeof value === 'bigint') return value.toString();
  return value;
}

/** A log that writes one JSON object per line through `write`. */
export function createLog(options: LogOptions, base: LogFields = {}): Log {
  const now = options.now ?? Date.now;
  const emit = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (RANK[level] < RANK[options.level]) return;
    const record: Record<string, unknown> = { time: new Date(now()).toISOString(), level, message };
    for (const source of [base, fields ?? {}]) {
      for (const [key, value] of Object.entries(source)) record[key] = plain(value);
    }
    options.write(`${JSON.stringify(record)}\n`);
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    with: (fields) => createLog(options, { ...base, ...fields }),
  };
}

export const silentLog: Log = createLog({ level: 'error', write: () => undefined });
