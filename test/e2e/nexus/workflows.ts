import { CancellationScope, condition, createNexusServiceClient, isCancellation } from '@temporalio/workflow';
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
