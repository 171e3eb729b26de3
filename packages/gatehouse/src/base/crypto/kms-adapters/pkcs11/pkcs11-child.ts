import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { KmsUnavailableError } from '../../kms.ts';
import type { Pkcs11Question, Pkcs11Reply, Pkcs11Request } from './pkcs11-messages.ts';

/**
 * Runs the library of an HSM in a process of its own: its calls block, may hang for good and may crash, and only
 * a process can be ended then. A thread cannot: a hung call keeps it, and a crash takes Gatehouse along.
 */
export interface Pkcs11Child {
  /** One question at a time. @throws KmsUnavailableError where the process ends, or hangs and is ended */
  ask(question: Pkcs11Question): Promise<Pkcs11Reply>;
  /** False once it ended; start another. */
  readonly isAlive: boolean;
  /** Ends it at once, whatever it does. */
  end(): Promise<void>;
}

/** @param timeoutMs for one answer. */
export function startPkcs11Child(timeoutMs: number): Pkcs11Child {
  // Run from source or from the build: the file of the process has the ending that this one has.
  const file = import.meta.url.endsWith('.ts') ? './pkcs11-process.ts' : './pkcs11-process.js';
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // No debugger by signal on a process that holds a PIN.
    execArgv: ['--disable-sigusr1'],
  });
  // Open questions have timers of their own; an idle HSM is no reason for a process to go on living.
  child.unref();
  child.channel?.unref();
  let isAlive = true;
  // Told to whoever waits by the two events that follow; without a listener it would end Gatehouse.
  child.on('error', () => undefined);
  const ended = once(child, 'exit').catch(() => undefined);
  void ended.then(() => {
    isAlive = false;
  });
  let lastId = 0;
  const end = async (): Promise<void> => {
    isAlive = false;
    child.kill('SIGKILL');
    // One that never started has no exit.
    if (child.pid !== undefined) await ended;
  };
  return {
    async ask(question) {
      if (!isAlive) throw new KmsUnavailableError('the process of the HSM library ended');
      lastId += 1;
      try {
        return await replyTo(child, { id: lastId, ...question }, timeoutMs);
      } catch (error) {
        await end();
        throw error;
      }
    },
    get isAlive() {
      return isAlive;
    },
    end,
  };
}

function replyTo(child: ChildProcess, request: Pkcs11Request, timeoutMs: number): Promise<Pkcs11Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Pkcs11Reply>();
  const fail = (problem: string): void => reject(new KmsUnavailableError(problem));
  const timer = setTimeout(() => fail(`the HSM gave no answer within ${timeoutMs} ms`), timeoutMs);
  const onMessage = (reply: Pkcs11Reply): void => {
    if (reply.id === request.id) resolve(reply);
  };
  const onEnd = (): void => fail('the process of the HSM library ended');
  child.on('message', onMessage).on('exit', onEnd).on('error', onEnd);
  child.send(request, (error) => {
    if (error !== null) onEnd();
  });
  return promise.finally(() => {
    clearTimeout(timer);
    child.off('message', onMessage).off('exit', onEnd).off('error', onEnd);
  });
}
