import { expect, test } from 'vitest';
import { codeWord } from './words';

test('codes are said in words, and new ones as they are', () => {
  expect(codeWord('quiet')).toContain('joins when it comes');
  expect(codeWord('something-new')).toBe('something-new');
});
