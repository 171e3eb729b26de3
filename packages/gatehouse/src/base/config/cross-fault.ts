/** A fault of the configuration as a whole: each key may be right by itself. */
export interface CrossFault {
  readonly key: string;
  readonly problem: string;
}
