/**
 * The load process: our own HTTP/2 client, because `h2load` cannot present a client certificate. It is told
 * by the parent what to do (`LoadCommand`), so that connections are open and code is warm before CPU is read.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { LoadCommand, LoadReply, LoadResult, Target } from './load-protocol.ts';
import { runCalls } from './load-run.ts';
import { pollCall, signalCall } from './requests.ts';
import { runWorkflows } from './workflow-load.ts';

/** Handshakes under way at once: enough to keep the proxy busy, few enough not to queue. */
const HANDSHAKES_AT_ONCE = 4;

const pools = new Map<string, ClientHttp2Session[]>();

async function obey(command: LoadCommand): Promise<LoadReply> {
  const { target } = command;
  const pool = pools.get(target.name) ?? [];
  switch (command.kind) {
    case 'open':
      closePool(target);
      pools.set(target.name, await openSessions(target, command.connections));
      return {};
    case 'run':
      return {
        result: await runCalls(pool, signalCall(target), command.concurrency, command.calls),
      };
    case 'park':
      for (const session of pool) park(session, target, command.pollsPerConnection);
      return {};
    case 'handshakes':
      await repeatHandshakes(target, command.count);
      return {};
    case 'workflows':
      return { result: await runWorkflowsOn(target, command.count, command.concurrency) };
    case 'close':
      closePool(target);
      return {};
  }
}

/** A Worker and a client have a connection each, as with an SDK. */
async function runWorkflowsOn(target: Target, count: number, concurrency: number): Promise<LoadResult> {
  const [worker, client] = await openSessions(target, 2);
  if (worker === undefined || client === undefined) throw new Error('no open connection');
  try {
    return await runWorkflows(worker, client, target, count, concurrency);
  } finally {
    worker.destroy();
    client.destroy();
  }
}

function closePool(target: Target): void {
  for (const session of pools.get(target.name) ?? []) session.destroy();
  pools.delete(target.name);
}

async function openSessions(target: Target, count: number): Promise<ClientHttp2Session[]> {
  const sessions: ClientHttp2Session[] = [];
  while (sessions.length < count) {
    const batch = Math.min(HANDSHAKES_AT_ONCE, count - sessions.length);
    sessions.push(...(await Promise.all(Array.from({ length: batch }, () => openSession(target)))));
  }
  return sessions;
}

/** Resolves when the server's SETTINGS have come: only then has it accepted our certificate (TLS 1.3). */
function openSession(target: Target): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${target.port}`, {
      ...credentials(target),
      servername: target.serverName,
      minVersion: 'TLSv1.3',
      maxSessionMemory: 1_000,
      settings: { initialWindowSize: 1 << 20 },
    });
    session.once('remoteSettings', () => resolve(session));
    session.on('error', (cause) => reject(new Error(`connection to ${target.name} failed`, { cause })));
    session.once('close', () => reject(new Error(`${target.name} closed the connection`)));
  });
}

const read = new Map<string, Buffer>();

function credentials(target: Target): { ca: Buffer; cert: Buffer; key: Buffer } {
  const load = (file: string): Buffer => {
    const bytes = read.get(file) ?? readFileSync(file);
    read.set(file, bytes);
    return bytes;
  };
  return { ca: load(target.caFile), cert: load(target.certificateFile), key: load(target.keyFile) };
}

async function repeatHandshakes(target: Target, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) (await openSession(target)).destroy();
  };
  await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, worker));
}

function park(session: ClientHttp2Session, target: Target, polls: number): void {
  const call = pollCall(target);
  for (let poll = 0; poll < polls; poll++) {
    const stream = session.request(call.headers);
    // The parent counts parked polls at the engine: one that fails is missed there.
    stream.on('error', () => undefined);
    stream.resume();
    stream.end(call.body);
  }
}

process.on('message', async (command: LoadCommand) => {
  const reply = await obey(command).catch((error: unknown): LoadReply => ({ error: describe(error) }));
  process.send?.(reply);
});
process.on('disconnect', () => process.exit());

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}
