import { DefaultFailureConverter } from '@temporalio/common';

/** Loaded by its path, by the Worker and into the Workflows' bundle. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
