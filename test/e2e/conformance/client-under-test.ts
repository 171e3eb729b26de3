// Run by the suite as the client under test: the gateway's own client of the engine, pool and relay. What the relay is
// given for a call, the earlier stages of the pipeline would have checked; here it is made of what the suite asks.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Refusal } from '../../../packages/gatehouse/src/base/model/refusals.ts';
import { systemClock } from '../../../packages/gatehouse/src/base/runtime/clock.ts';
import { createLog } from '../../../packages/gatehouse/src/base/runtime/log.ts';
import { PREFIX_BYTES, toFrame } from '../../../packages/gatehouse/src/base/wire/grpc-message.ts';
import { EnginePool } from '../../../packages/gatehouse/src/core/engine/engine-pool.ts';
import { Deadlines } from '../../../packages/gatehouse/src/planes/gateway/deadlines.ts';
import type { PermittedCall } from '../../../packages/gatehouse/src/planes/gateway/identified-call.ts';
import { type EngineReply, Relay } from '../../../packages/gatehouse/src/planes/gateway/relay.ts';
import { fieldsOf, textOf } from './read-fields.ts';
import { readMessages, sizedMessage } from './sized-message.ts';

const deadlines = new Deadlines(() => systemClock.monotonicMs());
const log = createLog({ level: 'error', write: (line) => process.stderr.write(`${line}\n`) });
const pools = new Map<string, EnginePool>();

/** By the numbers of ClientCompatRequest in the suite's client_compat.proto. */
const Ask = {
  name: 1,
  host: 6,
  port: 7,
  ca: 8,
  credentials: 9,
  service: 11,
  method: 12,
  headers: 15,
} as const;
const MESSAGES = 16;
const TIMEOUT = 17;
const CANCEL = 19;
const INTERNAL = 13;

type Fields = ReturnType<typeof fieldsOf>;

function poolOf(ask: Fields): EnginePool {
  const port = ask.number(Ask.port);
  const credentials = ask.message(Ask.credentials);
  const tls = {
    ca: textOf(ask.bytes(Ask.ca)),
    // TLSCreds: certificate, key.
    cert: textOf(credentials.bytes(1)),
    key: textOf(credentials.bytes(2)),
  };
  const key = `${port} ${tls.cert}`;
  const pool =
    pools.get(key) ??
    new EnginePool({
      log,
      target: () => ({ host: textOf(ask.bytes(Ask.host)), port, serverName: 'localhost', tls }),
    });
  pools.set(key, pool);
  return pool;
}

function headersOf(ask: Fields): string[] {
  return ask.all(Ask.headers).flatMap((bytes) => {
    const header = fieldsOf(bytes);
    return header.all(2).flatMap((value) => [textOf(header.bytes(1)).toLowerCase(), textOf(value)]);
  });
}

function relayed(ask: Fields): Promise<EngineReply | Refusal> {
  const service = textOf(ask.bytes(Ask.service)) || 'connectrpc.conformance.v1.ConformanceService';
  const method = textOf(ask.bytes(Ask.method)) || 'Unary';
  const call = {
    head: { timeoutMs: ask.has(TIMEOUT) ? ask.number(TIMEOUT) : undefined, metadata: headersOf(ask) },
    permit: { served: 'write' },
    namespace: { id: 'orders.acme1' },
    method: { name: method },
  } as unknown as PermittedCall;
  // google.protobuf.Any: the message is its second field.
  const message = fieldsOf(ask.bytes(MESSAGES)).bytes(2);
  const deps = {
    pool: poolOf(ask),
    deadlines,
    mintToken: () => 'Bearer of nothing',
    engineAuthority: 'localhost',
  };
  return new Promise((resolve) => {
    const relay = new Relay(call, `/${service}/${method}`, toFrame(message), deps, resolve);
    relay.start();
    // Cancel: after_close_send_ms; a call is always sent whole.
    if (ask.has(CANCEL)) setTimeout(() => relay.cancel(), ask.message(CANCEL).number(2));
  });
}

function bytesField(writer: BinaryWriter, field: number, bytes: Uint8Array): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).bytes(bytes);
}

/** Error of service.proto. */
function errorOf(code: number, message: string, details: readonly Uint8Array[]): Uint8Array {
  const error = new BinaryWriter().tag(1, WireType.Varint).int32(code);
  error.tag(2, WireType.LengthDelimited).string(message);
  for (const detail of details) bytesField(error, 3, detail);
  return error.finish();
}

/** ClientResponseResult of client_compat.proto. */
function resultOf(outcome: EngineReply | Refusal): Uint8Array {
  const result = new BinaryWriter();
  if (outcome instanceof Refusal) {
    const message = outcome.detail === undefined ? outcome.message : `${outcome.message}: ${outcome.detail}`;
    return bytesField(result, 3, errorOf(outcome.grpcStatus, message, [])).finish();
  }
  for (let index = 0; index + 1 < outcome.headers.length; index += 2) {
    const header = new BinaryWriter();
    header.tag(1, WireType.LengthDelimited).string(outcome.headers[index] ?? '');
    header.tag(2, WireType.LengthDelimited).string(outcome.headers[index + 1] ?? '');
    bytesField(result, 1, header.finish());
  }
  if (outcome.frame !== undefined) {
    try {
      return bytesField(result, 2, fieldsOf(outcome.frame.subarray(PREFIX_BYTES)).bytes(1)).finish();
    } catch {
      // The relay hands on what it does not read; its caller finds no message in it, and any gRPC client says so.
      return bytesField(result, 3, errorOf(INTERNAL, 'the reply is no message', [])).finish();
    }
  }
  const status = Buffer.from(outcome.details ?? '', 'base64');
  return bytesField(result, 3, errorOf(outcome.status, outcome.message, fieldsOf(status).all(3))).finish();
}

const running: Promise<void>[] = [];
for await (const message of readMessages(process.stdin)) {
  const ask = fieldsOf(message);
  running.push(
    relayed(ask).then((outcome) => {
      const answer = new BinaryWriter();
      bytesField(answer, 1, ask.bytes(Ask.name));
      bytesField(answer, 2, resultOf(outcome));
      process.stdout.write(sizedMessage(answer.finish()));
    }),
  );
}
await Promise.all(running);
await Promise.all([...pools.values()].map((pool) => pool.close()));
