import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceAddress } from './service-address.ts';

test('an address is https, or http to this machine, and has no slash at its end', () => {
  assert.equal(serviceAddress('x', 'https://vault.example:8200/'), 'https://vault.example:8200');
  assert.equal(serviceAddress('x', 'https://vault.example/base//'), 'https://vault.example/base');
  for (const host of ['127.0.0.1:8200', 'localhost', '[::1]:8200', '127.1.2.3']) {
    assert.equal(serviceAddress('x', `http://${host}`), `http://${host}`);
  }
});

test('T-100 an address in the clear, or with anything secret in it, is refused by the name of its setting', () => {
  const wrong = [
    'vault.example',
    'http://vault.example',
    'http://127.0.0.1.example',
    'http://localhost.example',
    'ftp://127.0.0.1',
    'https://user:pass@vault.example',
    'https://token@vault.example',
    'https://vault.example?token=x',
    'https://vault.example#x',
  ];
  for (const text of wrong) {
    assert.throws(
      () => serviceAddress('vault address', text),
      (error: Error) => error.message.startsWith('vault address ') && !error.message.includes(text),
    );
  }
});
