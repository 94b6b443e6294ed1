import { expect, it } from 'vitest';
import { auditCSV } from './export';
import { hasWords, operationWords, sinceTime, thingOf } from './words';

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

it('counts back from now', () => {
  expect([sinceTime('1h', 3_600_000), sinceTime('24h', 86_400_001), sinceTime(undefined, 5)]).toEqual([0, 1, 0]);
});

it('writes a CSV that runs nothing', () => {
  const csv = auditCSV([
    {
      at: '2026-11-22T10:00:00Z',
      principal: '=cmd|x;=y',
      operation: 'keys.create',
      resource: 'key a',
      result: 'done',
      detail: 'the "blue", one\nand more',
    },
  ]);
  expect(csv).toBe(
    'at,principal,remote,operation,resource,result,detail\r\n' +
      '2026-11-22T10:00:00Z,\'=cmd|x;\'=y,,keys.create,key a,done,"the ""blue"", one\nand more"\r\n',
  );
});
