import { describe, expect, it } from 'vitest';
import { ago, dateOf, moment, span, until } from './time';

describe('dateOf', () => {
  it('reads what the API and what devices send', () => {
    expect(dateOf('2026-11-22T10:00:00Z')?.getTime()).toBe(Date.UTC(2026, 10, 22, 10));
    expect(dateOf(1_700_000_000)?.getTime()).toBe(1_700_000_000_000);
  });
  it.each([undefined, '', 0, '0001-01-01T00:00:00Z', 'rubbish'])('takes %j for no time', (t) => {
    expect(dateOf(t)).toBeUndefined();
  });
});

describe('ago', () => {
  const now = Date.UTC(2026, 10, 22, 10);
  it.each([
    [0, 'now'],
    [-59_000, '59 sec. ago'],
    [-61_000, '1 min. ago'],
    [7_300_000, 'in 2 hr.'],
    [-86_400_000 * 3, '3 days ago'],
  ])('%d ms from now is %s', (ms, text) => {
    expect(ago(new Date(now + ms), now)).toBe(text);
  });
});

describe('until', () => {
  const now = Date.UTC(2026, 10, 22, 10);
  it.each([
    [7_300_000, 'in 2 hr.'],
    [0, 'now'],
    [-6_000, 'now'],
  ])('%d ms from now is %s', (ms, text) => {
    expect(until(new Date(now + ms), now)).toBe(text);
  });
});

describe('span', () => {
  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [3900, '1 h 5 min'],
    [90061, '1 d 1 h'],
  ])('%d s is %s', (s, text) => {
    expect(span(s)).toBe(text);
  });
});

describe('moment', () => {
  it('is by the clock of a zone, and by UTC where the zone is not known', () => {
    const at = new Date('2026-11-23T03:28:00Z');
    expect(moment(at, 'Europe/Oslo')).toMatch(/^Mon,? 23 Nov,? (at )?04:28 (CET|GMT\+1)$/);
    expect(moment(at, 'Nowhere/Land')).toMatch(/^Mon,? 23 Nov,? (at )?03:28 UTC$/);
  });
});
