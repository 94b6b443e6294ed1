import { expect, it } from 'vitest';
import { plain } from './output';

it.each([
  ['\u001b[32mok\u001b[0m done\r\n', 'ok done\n'],
  ['10 %\r20 %\rall\n', '10 %\n20 %\nall\n'],
  ['\u001b]0;title\u0007text', 'text'],
  ['a\u0000b\u0008c\td', 'abc\td'],
  ['<script>alert(1)</script> \u202eevil', '<script>alert(1)</script> \u202eevil'],
  ['', ''],
])('makes %j readable', (from, to) => expect(plain(from)).toBe(to));
