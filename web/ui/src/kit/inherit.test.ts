import { expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import { effective, inheritedProfile, inheritedWords, labelsOf, lineage, originWords } from './inherit';

const group = (path: string, more: Partial<Schemas['Group']> = {}): Schemas['Group'] => ({
  path,
  devices: 0,
  devices_below: 0,
  states: {},
  etag: path,
  ...more,
});

const sources = {
  groups: [
    group('', { settings: { snapshot: '10m0s' }, labels: { owner: 'all', tier: 'root' } }),
    group('ships', { profile: 'satellite', settings: { ping: '5m0s' }, labels: { tier: 'ships' } }),
    group('ships/aurora', { settings: { exchange_timeout_seconds: 60 } }),
    group('plants', { profile: 'lan' }),
  ],
  profiles: [
    { name: 'satellite', built_in: true, etag: '', settings: { ping: '20m0s', command: 'push', chunk_bytes: 4096 } },
    { name: 'lan', built_in: true, etag: '', settings: { ping: '30s', snapshot: 'push' } },
  ],
};

it('goes up to the root', () => {
  expect(lineage('a/b/c')).toEqual(['a/b/c', 'a/b', 'a', '']);
  expect(lineage('')).toEqual(['']);
});

it('takes the nearest setting, and a profile before what is further up', () => {
  expect(effective({ group: 'ships/aurora' }, sources)).toEqual({
    exchange_timeout_seconds: { value: 60, group: 'ships/aurora' },
    ping: { value: '5m0s', group: 'ships' },
    profile: { value: 'satellite', group: 'ships' },
    command: { value: 'push', group: 'ships', profile: 'satellite' },
    chunk_bytes: { value: 4096, group: 'ships', profile: 'satellite' },
    snapshot: { value: '10m0s', group: '' },
  });
  expect(effective({ group: 'plants' }, sources).snapshot).toEqual({ value: 'push', group: 'plants', profile: 'lan' });
});

it('says what would be inherited, and from where', () => {
  const found = effective({ group: 'ships/aurora', profile: '' }, sources);
  expect(inheritedWords(found, { connect_timeout_seconds: 30 })).toEqual({
    ping: 'each 5 min, group ships',
    snapshot: 'each 10 min, all devices',
    command: 'at once, profile satellite of group ships',
    chunk_bytes: 'at most 4,096 bytes in a message, profile satellite of group ships',
    connect_timeout_seconds: '30 s, the hub’s default',
    exchange_timeout_seconds: '1 min, group ships/aurora',
    key_exchange: 'the hub’s default',
  });
  expect(inheritedProfile(found)).toBe('inherited: satellite, group ships');
  expect(inheritedProfile(effective({ group: '' }, sources))).toBe('inherited: none');
});

it('lets the profile of a device go before groups, and only the nearest profile count', () => {
  const own = inheritedWords(effective({ group: 'ships', profile: 'lan' }, sources));
  expect(own.ping).toBe('each 30 s, profile lan of this device');
  expect(own.command).toBe('the hub’s default');
});

it('finds who gives a label', () => {
  expect([...labelsOf('ships/aurora', sources.groups)]).toEqual([
    ['tier', { value: 'ships', group: 'ships' }],
    ['owner', { value: 'all', group: '' }],
  ]);
});

it.each([
  ['hub default', 'the hub’s default'],
  ['device', 'set for this device'],
  ['group norway/oslo', 'group norway/oslo'],
  ['group /', 'all devices'],
  ['profile satellite (group /)', 'profile satellite of all devices'],
  ['profile lan (device)', 'profile lan of this device'],
])('%s is %s', (from, words) => expect(originWords(from)).toBe(words));
