/** One thing that is wrong with a configuration. Holds no value of it. */
export interface ConfigFault {
  /** Dotted key, such as `gateway.grpc.address`; list entries by their number from 0; empty for the whole file. */
  readonly key: string;
  /** What is wrong and what would be right, to be read after the key. */
  readonly problem: string;
  /** 1-based, where the key stands in the file. */
  readonly line?: number;
}

/** All faults of a configuration at once. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(file: string, faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, problem, line }) => {
      const place = line === undefined ? '' : ` (line ${line})`;
      return `  ${key === '' ? 'the file' : key}${place}: ${problem}`;
    });
    super(`the configuration ${file} cannot be used:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}
