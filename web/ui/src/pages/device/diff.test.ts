import { expect, it } from 'vitest';
import { changes } from './diff';
import type { Container, Snapshot } from './queries';

const web: Container = {
  id: 'c0ffee',
  name: 'web',
  image: 'nginx:1.27',
  image_index: 1,
  state: 'running',
  health: 'none',
  exit_code: 0,
  created: 1,
  started: 2,
  restarts: 0,
};

const before: Snapshot = {
  host: {
    name: 'h',
    os: 'Debian 12',
    kernel: '6.1',
    arch: 'arm64',
    cpus: 4,
    memory: 4e9,
    disk_total: 3e10,
    disk_used_percent: 60,
    booted: 100,
  },
  engine: { state: 'running', kind: 'docker', version: '28.5', api: '1.51', storage: 'overlay2', cgroup: 'systemd/2' },
  containers: [web],
  images: [{ id: 'a'.repeat(64), tags: ['nginx:1.27'], size: 1, created: 1 }],
  volumes: null,
  networks: null,
};

it('finds nothing where nothing changed', () => expect(changes(before, structuredClone(before))).toEqual([]));

it('tells a container that stopped, with its exit code', () => {
  const after = { ...before, containers: [{ ...web, state: 'exited', exit_code: 137, finished: 9 }] };
  expect(changes(before, after)).toEqual([
    { of: 'container', kind: 'changed', name: 'web', what: 'running → stopped (137)' },
  ]);
});

it('tells what came, what went and a restart', () => {
  const after = {
    ...before,
    host: { ...before.host, booted: 500, disk_used_percent: 61 },
    containers: [
      { ...web, started: 510 },
      { ...web, id: 'b', name: 'db' },
    ],
    volumes: [{ name: 'data' }],
  };
  expect(changes(before, after)).toEqual([
    { of: 'host', kind: 'changed', name: 'h', what: 'started anew, disk used 60 % → 61 %' },
    { of: 'container', kind: 'added', name: 'db' },
    { of: 'container', kind: 'changed', name: 'web', what: 'started again' },
    { of: 'volume', kind: 'added', name: 'data' },
  ]);
  expect(
    changes(after, before)
      .filter((c) => c.kind === 'removed')
      .map((c) => c.name),
  ).toEqual(['db', 'data']);
});

it('tells a new image under the same name', () => {
  const after = {
    ...before,
    containers: [{ ...web, id: 'other', started: 7 }],
    images: [{ id: 'b'.repeat(64), tags: ['nginx:1.27'], size: 1, created: 2 }],
  };
  expect(changes(before, after)).toEqual([
    { of: 'container', kind: 'changed', name: 'web', what: `digest ${'a'.repeat(12)} → ${'b'.repeat(12)}, made anew` },
    { of: 'image', kind: 'changed', name: 'nginx:1.27', what: `digest ${'a'.repeat(12)} → ${'b'.repeat(12)}` },
  ]);
});
