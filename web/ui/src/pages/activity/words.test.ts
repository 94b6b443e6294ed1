import { expect, it } from 'vitest';
import { exportAddress } from './TrailActions';
import { hasWords, operationWords, thingOf, trailFilter } from './words';

it('reads what an entry is about', () => {
  expect(thingOf('device qz3m')).toEqual({ kind: 'device', id: 'qz3m' });
  expect(thingOf('group /norway/oslo north')).toEqual({ kind: 'group', id: '/norway/oslo north' });
  expect(thingOf('waiting')).toEqual({ kind: 'waiting', id: '' });
  expect(thingOf('')).toBeUndefined();
});

it('has words for operations, and shows those it does not know', () => {
  expect([operationWords('stacks.apply'), operationWords('jobs.run')]).toEqual(['deployed', 'jobs: run']);
});

it('finds all words anywhere', () => {
  expect(hasWords('ADMIN oslo', 'admin', 'group /norway/oslo')).toBe(true);
  expect(hasWords('admin bergen', 'admin', undefined)).toBe(false);
  expect(hasWords(undefined)).toBe(true);
});

it('asks the hub for what the address says', () => {
  expect(trailFilter({})).toEqual({});
  expect(trailFilter({ q: 'oslo', since: '7d', who: 'anna', on: 'stack web', glass: true, result: 'refused' })).toEqual(
    {
      q: 'oslo',
      from: '168h',
      principal: 'anna',
      resource: 'stack web',
      break_glass: true,
      result: 'refused',
    },
  );
});

it('exports what fits', () => {
  expect(exportAddress('csv', trailFilter({ q: 'a&b', glass: true }))).toMatch(
    /\/api\/v1\/audit\/export\?format=csv&q=a%26b&break_glass=true$/,
  );
});
