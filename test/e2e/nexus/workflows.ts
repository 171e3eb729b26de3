import {
  ApplicationFailure,
  CancellationScope,
  condition,
  createNexusServiceClient,
  isCancellation,
} from '@temporalio/workflow';
import { greetings } from './greetings.ts';

const limit = { scheduleToCloseTimeout: '30 seconds' } as const;

/** Calls operations of each kind, and tells how they ended. */
export async function caller(endpoint: string): Promise<readonly string[]> {
  const client = createNexusServiceClient({ endpoint, service: greetings });
  const answers = [
    await client.executeOperation('hello', 'sync', limit),
    await client.executeOperation('greet', 'async', limit),
  ];
  try {
    await client.executeOperation('refuse', 'x', limit);
  } catch (error) {
    answers.push(`${String(error)}: ${error instanceof Error ? String(error.cause) : ''}`);
  }
  answers.push(
    await CancellationScope.cancellable(async () => {
      const handle = await client.startOperation('wait', 'cancelled', limit);
      CancellationScope.current().cancel();
      return await handle.result();
    }).catch((error: unknown) => (isCancellation(error) ? 'cancelled' : String(error))),
  );
  return answers;
}

/** Behind `greet`. */
export async function greeting(name: string): Promise<string> {
  return `greetings, ${name}`;
}

/** Behind `wait`. */
export async function waiting(name: string): Promise<string> {
  await condition(() => false);
  return name;
}

/** Calls what fails, and tells of each all that its errors say; then what is no JSON. */
export async function failingCaller(endpoint: string): Promise<readonly string[]> {
  const client = createNexusServiceClient({ endpoint, service: greetings });
  const told: string[] = [];
  for (const operation of ['fail', 'deny', 'failLater'] as const) {
    await client.executeOperation(operation, operation, limit).catch((error: unknown) => {
      told.push(`${operation}: ${tellAll(error)}`);
    });
  }
  const bytes = await client.executeOperation('echo', new Uint8Array([0, 255, 1]), limit);
  told.push(`echo: ${bytes.join(' ')}`);
  told.push(`nothing: ${await client.executeOperation('nothing', undefined, limit)}`);
  return told;
}

function tellAll(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { name, message, cause } = error;
  const details = error instanceof ApplicationFailure ? ` ${JSON.stringify(error.details)}` : '';
  return `${name} ${message}${details}${cause === undefined ? '' : ` < ${tellAll(cause)}`}`;
}

/** Behind `failLater`. */
export async function failing(name: string): Promise<string> {
  throw ApplicationFailure.create({
    message: `later no ${name}`,
    type: 'Refused',
    nonRetryable: true,
    details: [name],
  });
}
