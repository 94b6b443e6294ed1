import { expect, test } from 'vitest';
import { readPasses, writePasses } from './passes';

const ten = { start: '2026-11-23T10:00:00.000Z', seconds: 600, bytes: 250_000 };

test('a table is read as programs of satellites write it', () => {
  expect(readPasses('start,end,bytes\n2026-11-23T10:00:00Z,2026-11-23T10:10:00Z,250000\n')).toEqual({ passes: [ten] });
  expect(readPasses('2026-11-23 10:00;2026-11-23 10:10;250 kB')).toEqual({ passes: [ten] });
  expect(readPasses('end\tstart\r\n2026-11-23T12:10:00+02:00\t"2026-11-23T12:00:00+02:00"\r\n')).toEqual({
    passes: [{ start: ten.start, seconds: 600 }],
  });
  expect(readPasses('1795428000,1795428600')).toEqual({ passes: [{ start: ten.start, seconds: 600 }] });
});

test('passes come in the order of their times', () => {
  const read = readPasses('2026-11-24T10:00:00Z,2026-11-24T10:10:00Z\n2026-11-23T10:00:00Z,2026-11-23T10:10:00Z');
  expect('passes' in read && read.passes.map((p) => p.start.slice(8, 10))).toEqual(['23', '24']);
});

test('what is wrong is said with its line', () => {
  const wrong = (text: string) => {
    const read = readPasses(text);
    return 'wrong' in read ? read.wrong.join(' ') : '';
  };
  expect(wrong('')).toContain('no line with a pass');
  expect(wrong('start,end,bytes')).toContain('no pass below');
  expect(wrong('start,finish\n1,2')).toContain('Line 1: want the columns');
  expect(wrong('start,end\n\n# next week\n2026-11-23T10:00:00Z,tomorrow')).toContain('Line 4: “tomorrow” is no end');
  expect(wrong('2026-11-23T10:00:00Z,2026-11-23T09:00:00Z')).toContain('Line 1: it ends before');
  expect(wrong('2026-11-23T10:00:00Z,2026-11-23T11:00:00Z,lots')).toContain('no number of bytes');
  expect(wrong('2026-11-23T10:00:00Z,2026-11-23T11:00:00Z,1,2')).toContain('4 columns');
  expect(wrong('x,y\n'.repeat(9))).toContain('4 more lines are wrong');
});

test('a table is written as it is read', () => {
  expect(readPasses(writePasses([ten]))).toEqual({ passes: [ten] });
});
