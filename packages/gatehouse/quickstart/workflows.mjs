import { proxyActivities } from '@temporalio/workflow';

const { greet } = proxyActivities({ startToCloseTimeout: '10 seconds' });

/** Runs in the customer's Worker; the platform only relays its messages. */
export async function greeting(name) {
  return await greet(name);
}
