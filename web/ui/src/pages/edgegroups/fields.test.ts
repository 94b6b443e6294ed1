import { describe, expect, it } from 'vitest';
import { bodyOf, fieldsOf, homeOf, why, wrongName } from './fields';

describe('fields of an edge group', () => {
  it('go to the hub as they came', () => {
    const g = { description: 'first', group: 'norway', selector: 'ring=canary', devices: ['a', 'b'] };
    expect(bodyOf(fieldsOf(g))).toEqual(g);
  });
  it('list nobody where nothing is typed', () => {
    expect(bodyOf(fieldsOf({ group: '' }))).toEqual({ description: '', group: '', selector: '', devices: [] });
  });
  it('take a home as people write it', () => {
    expect(homeOf(' /norway/oslo/ ')).toBe('norway/oslo');
  });
  it('say what is wrong with a name', () => {
    expect(wrongName('canaries-2')).toBeUndefined();
    for (const bad of ['', 'A', '-a', 'a b', 'x'.repeat(64)]) expect(wrongName(bad)).toContain('such as');
  });
});

describe('why', () => {
  it('tells lists from selectors, and who is not in it', () => {
    expect(why({ listed: true, selected: true })).toBe('listed and selected');
    expect(why({ listed: false, selected: true })).toBe('selected');
    expect(why({ listed: true, selected: false, reason: 'it was revoked' })).toBe('not in it: it was revoked');
  });
});
