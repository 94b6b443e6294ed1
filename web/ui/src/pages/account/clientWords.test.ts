import { expect, test } from 'vitest';
import { clientWords } from './clientWords';

test('a browser is said in two words, anything else as it is', () => {
  const chrome =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
  expect(clientWords(chrome)).toBe('Chrome on Linux');
  expect(clientWords('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604')).toBe(
    'Safari on iPhone',
  );
  expect(clientWords('farshore/1.2')).toBe('farshore/1.2');
  expect(clientWords('')).toBe('A client without a name');
});
