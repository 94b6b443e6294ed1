import { expect, it } from 'vitest';
import { inherited, inheritedLabels, originWords, type Sources, upward } from './inherit';
import type { Detail } from './queries';

const group = (path: string, more: object) => ({ path, devices: 0, devices_below: 0, states: {}, etag: '', ...more });

const sources = {
  groups: [
    group('', { settings: { snapshot: '10m0s' }, labels: { owner: 'all', tier: 'root' } }),
    group('ships', { profile: 'satellite', settings: { ping: '5m0s' }, labels: { tier: 'ships' } }),
    group('ships/aurora', {}),
  ],
  profiles: [
    { name: 'satellite', built_in: true, etag: '', settings: { ping: '20m0s', command: 'push', chunk_bytes: 4096 } },
    { name: 'lan', built_in: true, etag: '', settings: { ping: '30s', snapshot: 'push' } },
  ],
} as unknown as Sources;

const device = {
  effective: {
    settings: { connect_timeout_seconds: 30, key_exchange: 'classic' },
    from: { connect_timeout_seconds: 'hub default', key_exchange: 'device' },
  },
} as unknown as Detail;

it('goes upward', () => expect(upward('a/b/c')).toEqual(['a/b/c', 'a/b', 'a', '']));

it('says what would be inherited, by the hub’s rules', () => {
  expect(inherited(device, { group: 'ships/aurora', profile: '' }, sources)).toEqual({
    ping: 'each 5 min, group ships',
    snapshot: 'each 10 min, all devices',
    command: 'at once, profile satellite of group ships',
    chunk_bytes: 'at most 4,096 bytes in a message, profile satellite of group ships',
    connect_timeout_seconds: '30 s, the hub’s default',
    exchange_timeout_seconds: 'the hub’s default',
    key_exchange: 'the hub’s default',
  });
});

it('lets the own profile go before groups, and only the nearest profile count', () => {
  const own = inherited(device, { group: 'ships', profile: 'lan' }, sources);
  expect(own.ping).toBe('each 30 s, profile lan of this device');
  expect(own.command).toBe('the hub’s default');
});

it('finds who gives a label', () => {
  expect([...inheritedLabels('ships/aurora', sources.groups)]).toEqual([
    ['tier', { value: 'ships', from: 'ships' }],
    ['owner', { value: 'all', from: '' }],
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
