/** One thing that `doctor` looked at. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly text: string;
  /** What to do about it. */
  readonly cure?: string;
}
