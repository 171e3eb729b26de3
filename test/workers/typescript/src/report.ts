/** Standard output is the report: one JSON object a line. Everything else goes to standard error. */
export function report(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** One line for a whole chain of causes, with the gRPC status where one of them carries it. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 6; ) {
    if (!(at instanceof Error)) {
      parts.push(String(at));
      break;
    }
    const status = 'code' in at && typeof at.code === 'number' ? ` (grpc ${at.code})` : '';
    parts.push(`${at.name}: ${at.message}${status}`);
    at = at.cause;
  }
  return parts.join(' <- ');
}
