import { expect, test } from 'vitest';
import { overSSH } from './SourceForm';

test.each([
  ['https://git.example.com/x.git', false],
  ['http://git.example.com:8080/x.git', false],
  ['ssh://git@git.example.com/x.git', true],
  ['git@git.example.com:plant/x.git', true],
  ['', false],
  ['https://host/a@b:c', false],
])('%s is over SSH: %s', (url, is) => {
  expect(overSSH(url)).toBe(is);
});
