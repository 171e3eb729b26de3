// The sources are ES modules and the package is published as CommonJS: `dist` must say so for itself.
import { writeFileSync } from 'node:fs';

writeFileSync(new URL('./dist/package.json', import.meta.url), '{ "type": "commonjs" }\n');
