import { expect, it } from 'vitest';
import { found, targetOf, usersIn } from './containers';
import type { Container, Snapshot } from './queries';

const make = (name: string, more: Partial<Container> = {}): Container => ({
  id: `id-${name}`,
  name,
  image_index: 1,
  state: 'running',
  health: 'none',
  exit_code: 0,
  created: 1,
  restarts: 0,
  ...more,
});

const s = {
  images: [{ id: 'x', tags: ['nginx:1.27'], size: 1, created: 1 }],
  containers: [
    make('web', { project: 'shop', mounts: [{ source: 'data', target: '/data' }] }),
    make('alone', { image_index: 0, mounts: [{ type: 'bind', source: 'data', target: '/x' }] }),
    make('db', { project: 'shop', state: 'exited', labels: { tier: 'back' } }),
    make('agent', { project: 'base' }),
  ],
} as Snapshot;

it('groups by project, those without one last', () => {
  expect(found(s, '').map((x) => [x.project, x.running, x.containers.map((c) => c.name)])).toEqual([
    ['base', 1, ['agent']],
    ['shop', 1, ['db', 'web']],
    ['', 1, ['alone']],
  ]);
});

it.each([
  ['nginx shop', ['db', 'web']],
  ['tier=back', ['db']],
  ['EXITED', ['db']],
  ['nothing', []],
])('finds %j', (text, names) => {
  expect(found(s, text).flatMap((x) => x.containers.map((c) => c.name))).toEqual(names);
});

it('knows who uses what', () => {
  expect(
    usersIn(s)
      .images.get(0)
      ?.map((c) => c.name),
  ).toEqual(['web', 'db', 'agent']);
  expect(
    usersIn(s)
      .volumes.get('data')
      ?.map((c) => c.name),
  ).toEqual(['web']);
});

it('names a container by its id where its name cannot be given', () => {
  expect(targetOf(make('web-1'))).toBe('web-1');
  expect(targetOf(make('<b>web</b>'))).toBe('id-<b>web</b>');
});
