import { expect, it } from 'vitest';
import { differences, onTop } from './merge';

const base = { ping: '5m', labels: 'site=oslo', profile: 'lan' };
const mine = { ...base, ping: '1m', labels: '' };
const theirs = { ...base, ping: '2m', profile: 'satellite' };

it('keeps what I changed and takes the rest from what is there', () => {
  expect(onTop(base, mine, theirs)).toEqual({ ping: '1m', labels: '', profile: 'satellite' });
});

it('names what is not the same', () => {
  expect(differences(mine, theirs, { ping: 'Ping' })).toEqual([
    { field: 'Ping', mine: '1m', theirs: '2m' },
    { field: 'labels', mine: '', theirs: 'site=oslo' },
    { field: 'profile', mine: 'lan', theirs: 'satellite' },
  ]);
});
