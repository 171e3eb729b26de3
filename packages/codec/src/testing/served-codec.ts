import { openEncryptionCodec } from '../encryption-codec.ts';
import type { Payload } from '../payload.ts';
import { type CodecServerOptions, createCodecServer } from '../server/codec-server.ts';
import { formatPayloads, parsePayloads } from '../server/payloads-json.ts';
import { type ListeningCodecServer, startCodecServer } from '../server/start-codec-server.ts';

export const UI = 'https://ui.example.com';
export const SECRET = Buffer.alloc(32, 'key-material');
export const codec = await openEncryptionCodec({ keys: [{ id: 'now', key: SECRET }] });
export const lost = await openEncryptionCodec({ keys: [{ id: 'lost', key: Buffer.alloc(32, 'another') }] });
export const plain = (value: string): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});
export const json = (payloads: Payload[]) => formatPayloads(payloads);
export const textOf = (payload: Payload | undefined) => Buffer.from(payload?.data ?? []).toString();
export const headers = { 'content-type': 'application/json', 'x-namespace': 'orders.acme1' };

const running: ListeningCodecServer[] = [];
/** A codec server for everybody on a free port; give it options to have it otherwise. */
export async function start(options: Partial<CodecServerOptions> = {}): Promise<string> {
  const server = createCodecServer({
    codec: () => codec,
    allowAnonymous: true,
    allowedOrigins: [UI],
    ...options,
  });
  const listening = await startCodecServer(server, { host: '127.0.0.1', port: 0 });
  running.push(listening);
  return listening.url;
}
export const post = (url: string, body: string, more: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers: { ...headers, ...more } });
export const payloadsOf = async (answer: Response) => parsePayloads(Buffer.from(await answer.arrayBuffer()));

/** Ends every server that was started. */
export async function closeAll(): Promise<void> {
  for (const server of running.splice(0)) await server.close();
}
