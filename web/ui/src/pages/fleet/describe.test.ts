import { expect, it } from 'vitest';
import { foundText, labelList, troubleText } from './describe';

it('says where a device was found, but not by the name that is there to see', () => {
  expect(
    foundText([
      { kind: 'name', text: 'cam-1' },
      { kind: 'container', text: 'web-1' },
      { kind: 'image', text: 'nginx:1' },
    ]),
  ).toBe('container web-1 · image nginx:1');
  expect(foundText(undefined)).toBe('');
});

it('lists labels without facts', () => {
  expect(labelList({ site: 'oslo', 'farshore.io/os': 'linux', line: 'a' })).toEqual(['line=a', 'site=oslo']);
});

it('says what is wrong with a device, or nothing', () => {
  const liveness = { state: 'on-time', since: '', connected: true } as const;
  expect(troubleText({ liveness, stacks: { all: 3, ok: 2, failed: 1 }, containers: { all: 5, running: 3 } })).toBe(
    '1 of 3 stacks failed · 2 of 5 containers not running',
  );
  expect(troubleText({ liveness, stacks: { all: 0, ok: 0, failed: 0 } })).toBe('');
});
