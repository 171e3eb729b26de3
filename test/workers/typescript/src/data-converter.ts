import type { Client, DataConverter } from '@temporalio/client';

/** That of CODEC, or the default export of the module that DATA_CONVERTER names; undefined: the SDK's own converter. */
export async function loadDataConverter(env: NodeJS.ProcessEnv): Promise<DataConverter | undefined> {
  if (env['CODEC'] === 'zlib') return (await import('./zlib-data-converter.ts')).default;
  const path = env['DATA_CONVERTER'];
  if (!path) return undefined;
  const { default: converter } = (await import(path)) as { default: DataConverter };
  return converter;
}

type Payload = Parameters<Client['options']['loadedDataConverter']['payloadConverter']['fromPayload']>[0];

/** The value of a payload that the client handed out as it came. */
export async function readPayload<T>({ options }: Client, payload: Payload): Promise<T> {
  const { payloadCodecs, payloadConverter } = options.loadedDataConverter;
  let decoded = payload;
  for (const codec of payloadCodecs.toReversed()) decoded = (await codec.decode([decoded]))[0] ?? decoded;
  return payloadConverter.fromPayload<T>(decoded);
}

/** A payload of this value, for a call that takes it as it goes over the wire. */
export async function writePayload({ options }: Client, value: unknown): Promise<Payload> {
  const { payloadCodecs, payloadConverter } = options.loadedDataConverter;
  let encoded: Payload = payloadConverter.toPayload(value);
  for (const codec of payloadCodecs) encoded = (await codec.encode([encoded]))[0] ?? encoded;
  return encoded;
}
