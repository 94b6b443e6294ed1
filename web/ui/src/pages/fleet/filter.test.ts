import { describe, expect, it } from 'vitest';
import { fleetSearch } from '../../app/search';
import { filterOf, nextSort, plain, queryOf, queryText, sortOf, toggled } from './filter';

describe('the address of the fleet page', () => {
  it('becomes a filter of what is set, without how it is shown', () => {
    const search = fleetSearch({ q: 'cam', state: 'late,bogus,overdue', trouble: 'true', sort: '-name', view: 'map' });
    expect(filterOf(search)).toEqual({ q: 'cam', state: ['overdue', 'late'], trouble: true });
    expect(filterOf(fleetSearch({ stage: 'last' }))).toEqual({ stage: 'last' });
    expect(filterOf(fleetSearch({ state: 'bogus', mode: 'other', stage: 'spent' }))).toEqual({});
  });

  it('turns states on and off', () => {
    expect(toggled({}, 'late')).toBe('late');
    expect(toggled({ state: 'late' }, 'overdue')).toBe('overdue,late');
    expect(toggled({ state: 'late' }, 'late')).toBeUndefined();
  });

  it('keeps order, columns and map when all filters are taken away', () => {
    expect(plain({ q: 'x', group: 'a', sort: '-state', hide: 'mode', view: 'map' })).toEqual({
      sort: '-state',
      hide: 'mode',
      view: 'map',
    });
  });

  it('comes back whole from a saved view', () => {
    const search = fleetSearch({ selector: 'site in (a, b),!x', q: 'ä & b=c', trouble: true, state: 'late,quiet' });
    expect(fleetSearch(queryOf(queryText(search)))).toEqual(search);
  });
});

describe('sorting', () => {
  it('goes up, down, and back to names', () => {
    expect(sortOf({ sort: 'secrets' })).toBe('name');
    expect(nextSort('name', 'state')).toBe('state');
    expect(nextSort('state', 'state')).toBe('-state');
    expect(nextSort('-state', 'state')).toBeUndefined();
    expect(nextSort('name', 'name')).toBe('-name');
    expect(nextSort('-name', 'name')).toBeUndefined();
    expect(nextSort('state', 'name')).toBeUndefined();
  });
});
