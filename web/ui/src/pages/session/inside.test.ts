import { expect, it } from 'vitest';
import { inside } from './inside';

it.each(['/fleet', '/devices/abc?tab=containers', '/waiting?code=343B-VBAP', '/farshore/fleet?q=%2F%2F'])(
  'goes back to %s',
  (to) => {
    expect(inside(to)).toBe(to);
  },
);

it.each([
  undefined,
  '',
  'fleet',
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  'https://evil.example',
  'javascript:alert(1)',
  '/sign-in?to=/x',
])('does not go to %j', (to) => {
  expect(inside(to)).toBeUndefined();
});
