import { expect, it } from 'vitest';
import { codeIn, normalizeCode } from './code';

it.each(['7ZK4-M0QD', '7zk4m0qd', ' 7zk4 m0qd ', '7ZK4-MOQD', '7zk4_moqd', '7ZK4\n-M0QD'])('reads %j', (typed) => {
  expect(normalizeCode(typed)).toEqual({ code: '7ZK4-M0QD' });
});

it('takes I and L for 1', () => {
  expect(normalizeCode('iL00-0000')).toEqual({ code: '1100-0000' });
});

it.each(['', '7ZK4-M0Q', '7ZK4-M0QDX', '7ZK4-M0QU', '7ZK4/M0QD', '7ZK4-M0Qé'])(
  'says what is wrong with %j',
  (typed) => {
    expect(normalizeCode(typed)).toHaveProperty('wrong');
  },
);

it('finds the code in what a camera reads', () => {
  expect(codeIn('https://hub.example:9443/waiting?code=343B-VBAP')).toBe('343B-VBAP');
  expect(codeIn('https://hub.example/farshore/waiting?x=1&code=343bvbap')).toBe('343B-VBAP');
  expect(codeIn('343B-VBAP')).toBe('343B-VBAP');
  expect(codeIn('https://evil.example/')).toBeUndefined();
  expect(codeIn('WIFI:S:net;;')).toBeUndefined();
});
