// Beside the file that it names, so that sources and build find it in the same way.
'use strict';

exports.failureConverterPath = require.resolve('./failure-converter.cjs');
