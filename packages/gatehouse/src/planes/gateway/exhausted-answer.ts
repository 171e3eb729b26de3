import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { GrpcStatus } from '#base/model/grpc-status';
import type { RefusalRow } from '#base/model/refusal-rows/refusal-row';
import type { Refusal } from '#base/model/refusals';
import type { CallAnswer } from './identified-call.ts';

/** enums.v1.ResourceExhaustedCause. */
const causes = { RPS_LIMIT: 1, CONCURRENT_LIMIT: 2 } satisfies Record<
  NonNullable<RefusalRow['exhausted']>,
  number
>;
/** enums.v1.ResourceExhaustedScope: NAMESPACE. */
const SCOPE_NAMESPACE = 1;
/** A second of any rate is at least one call; whoever holds too much at once has to look again too. */
const RETRY_AFTER_SECONDS = 1;

type ExhaustedPart = Pick<CallAnswer, 'details' | 'headers' | 'retryAfterSeconds'>;

const made = new Map<string, ExhaustedPart>();

/**
 * What an answer to a refusal by a limit says besides: the headers and the detail that the engine sends with its own
 * (data-plane.md 5.1, 5.2), so that SDKs take it for what it is, back off and come again.
 */
export function exhaustedAnswer(refusal: Refusal): ExhaustedPart | undefined {
  const { exhausted } = refusal.row;
  if (exhausted === undefined) return undefined;
  let part = made.get(refusal.message);
  if (part === undefined) {
    part = Object.freeze({
      details: statusDetails(refusal.message, causes[exhausted]),
      headers: ['x-resource-exhausted-cause', exhausted, 'x-resource-exhausted-scope', 'NAMESPACE'],
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
    // The texts of these refusals are the table's own: there are a handful.
    made.set(refusal.message, part);
  }
  return part;
}

/** google.rpc.Status with one temporal.api.errordetails.v1.ResourceExhaustedFailure, base64 without padding. */
function statusDetails(message: string, cause: number): string {
  const failure = new BinaryWriter().tag(1, 0).int32(cause).tag(2, 0).int32(SCOPE_NAMESPACE).finish();
  const any = new BinaryWriter()
    .tag(1, 2)
    .string('type.googleapis.com/temporal.api.errordetails.v1.ResourceExhaustedFailure')
    .tag(2, 2)
    .bytes(failure)
    .finish();
  const status = new BinaryWriter()
    .tag(1, 0)
    .int32(GrpcStatus.RESOURCE_EXHAUSTED)
    .tag(2, 2)
    .string(message)
    .tag(3, 2)
    .bytes(any)
    .finish();
  return Buffer.from(status).toString('base64').replace(/=+$/, '');
}
