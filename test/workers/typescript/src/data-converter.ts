import type { Client, DataConverter } from '@temporalio/client';

/** The default export of the module that DATA_CONVERTER names; undefined: the SDK's own converter. */
export async function loadDataConverter(env: NodeJS.ProcessEnv): Promise<DataConverter | undefined> {
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
