import { describe, expect, it } from 'vitest';
import { inWords, settingsFrom, settingsText, short, wrongSetting } from './settings';

it('writes frequencies as people type them', () => {
  expect(['20m0s', '1h0m0s', '1h30m0s', '30s', '1m10s', 'push', 'off'].map(short)).toEqual([
    '20m',
    '1h',
    '1h30m',
    '30s',
    '1m10s',
    'push',
    'off',
  ]);
});

it('says what settings mean', () => {
  expect([
    inWords('ping', '20m0s'),
    inWords('snapshot', 'push'),
    inWords('command', 'push'),
    inWords('ping', ''),
  ]).toEqual(['each 20 min', 'when something changes', 'at once', '']);
});

it('reads what it writes', () => {
  const settings = { ping: '20m', snapshot: 'push', chunk_bytes: 4096, key_exchange: 'classic' };
  expect(settingsFrom(settingsText(settings))).toEqual(settings);
});

describe('wrongSetting', () => {
  it.each([
    ['ping', '60s'],
    ['ping', ' off '],
    ['snapshot', 'push'],
    ['chunk_bytes', '4096'],
    ['connect_timeout_seconds', ''],
  ] as const)('has nothing against %s %j', (field, text) => {
    expect(wrongSetting(field, text)).toBeUndefined();
  });
  it.each([
    ['ping', 'push'],
    ['ping', '0.5s'],
    ['snapshot', '5'],
    ['command', '9601h'],
    ['chunk_bytes', '1e4'],
    ['exchange_timeout_seconds', '4'],
    ['key_exchange', 'rot13'],
  ] as const)('says what is wrong with %s %j', (field, text) => {
    expect(wrongSetting(field, text)).toBeTruthy();
  });
});
