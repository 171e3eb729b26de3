import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { describeUp } from './up-summary.ts';

test('paths with blanks and quotes are printed so that a shell and TypeScript read them whole', () => {
  const home = "/tmp/o'neil's $HOME";
  const text = describeUp(
    {
      account: 'local',
      domain: 'gatehouse.localhost',
      region: 'aws-local',
      serverCa: `${home}/ca.pem`,
      grpc: '127.0.0.1:7233',
      https: null,
      control: null,
      console: null,
      metrics: null,
      apiKeyFile: null,
      namespaces: [
        { id: 'default.local', host: 'h', clientCert: `${home}/client.pem`, clientKey: `${home}/client.key` },
      ],
    },
    home,
  );
  const command = text
    .slice(text.indexOf('  temporal '), text.indexOf('\ngrpcurl'))
    .replace('temporal', 'printf "%s\\n"');
  const words = execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).split('\n');
  assert.deepEqual(
    words.filter((word) => word.startsWith('/')),
    [`${home}/ca.pem`, `${home}/client.pem`, `${home}/client.key`],
  );
  assert.ok(text.includes(`readFileSync('/tmp/o\\'neil\\'s $HOME/ca.pem')`));
});
