import { describe, expect, it } from 'vitest';
import { added, nothing, sizeOf, ticked } from './selection';
import { bulkOf } from './useBulk';

describe('a selection', () => {
  it('names single devices', () => {
    const two = ticked(ticked(nothing, 'a'), 'b');
    expect(bulkOf(two, { q: 'x' }, 9)).toEqual({ ids: ['a', 'b'] });
    expect(sizeOf(ticked(two, 'a'), 9)).toBe(1);
    expect(sizeOf(added(two, ['b', 'c']), 9)).toBe(3);
  });

  it('of all is the filter, with the number that was seen', () => {
    const all = { all: true } as const;
    expect(bulkOf(all, { group: 'ships' }, 1234)).toEqual({ filter: { group: 'ships' }, expect: 1234 });
    expect(sizeOf(all, 1234)).toBe(1234);
    expect(ticked(all, 'a')).toBe(all);
  });
});
