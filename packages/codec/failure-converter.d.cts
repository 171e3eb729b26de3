import type { FailureConverter } from '@temporalio/common';

/** Moves message and stack trace of every failure into a payload, which the codec then encrypts. */
export declare const failureConverter: FailureConverter;
