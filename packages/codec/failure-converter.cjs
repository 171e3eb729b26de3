// The SDK loads this file by its path: by `require` in a Worker or client, and into the Workflow bundle. So it is
// CommonJS, plain JavaScript, and imports nothing that the Workflow sandbox forbids.
'use strict';
const { DefaultFailureConverter } = require('@temporalio/common');

/** Moves message and stack trace of every failure into a payload, which the codec then encrypts. */
exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
