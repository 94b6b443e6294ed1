import { expect, it } from 'vitest';
import { definitionOf, formOfJob, hintOf, mergedOn, newDefinition, pairsOf, wrongDefinition } from './definition';
import type { Job } from './queries';

const job: Job = {
  id: 3,
  name: 'backup',
  version: 2,
  etag: '"2"',
  words: '',
  assigned: 1,
  withheld: 0,
  last: { done: 1, failed: 0, running: 0, other: 0, never: 0 },
  strip: [],
  upcoming: [],
  created: '2026-11-01T00:00:00Z',
  updated: '2026-11-01T00:00:00Z',
  owner: { visibility: 'administrators' },
  group: 'norway',
  selector: 'site=oslo',
  exclude: ['lab'],
  script: '#!/bin/sh\necho hi\n',
  container: {
    image: 'alpine:3.22',
    pull: 'missing',
    mounts: [{ source: '/data', target: '/data', read_only: true }],
    network: 'none',
    milli_cpus: 500,
    memory: 64_000_000,
  },
  args: ['--all', 'a b'],
  env: { A: 'x=y', B: 'two\nlines' },
  secret: ['TOKEN'],
  schedule: { kind: 'cron', cron: '0 2 * * *', zone: 'device', jitter_seconds: 90 },
  timeout_seconds: 90,
  retries: 2,
  retry_delay_seconds: 30,
  overlap: 'queue',
  missed: 'all',
  missed_limit: 5,
  output: 'always',
  output_cap: 32_000,
};

it('gives back a job as it was: what it does not show keeps its value', () => {
  const {
    id,
    name,
    version,
    etag,
    words,
    assigned,
    withheld,
    last,
    strip,
    upcoming,
    created,
    updated,
    owner,
    ...rest
  } = job;
  const back = { ...rest, env: { A: 'x=y' }, keep_env: ['B'] };
  expect(definitionOf(formOfJob(job), job)).toEqual(back);
  const masked = { ...job, masked: true, env: { A: '***', B: '***' } };
  expect(definitionOf(formOfJob(masked), masked)).toEqual({ ...back, env: {}, keep_env: ['A', 'B'] });
});

it('sends the value of a secret that is typed, and its name; one whose line is gone is gone', () => {
  const typed = definitionOf({ ...formOfJob(job), secrets: 'KEY=a=b\nTOKEN' }, job);
  expect(typed?.env).toEqual({ A: 'x=y', KEY: 'a=b' });
  expect(typed?.secret).toEqual(['KEY', 'TOKEN']);
  expect(definitionOf({ ...formOfJob(job), secrets: '' }, job)).not.toHaveProperty('secret');
  expect(wrongDefinition({ ...formOfJob(job), secrets: 'OTHER' }, job).secrets).toMatch(/OTHER=value/);
});

it('means all devices only where that is chosen', () => {
  const f = formOfJob(job);
  expect(f.everywhere).toBe(false);
  expect(wrongDefinition({ ...f, selector: '' }, job)).toHaveProperty('selector');
  expect(definitionOf({ ...f, selector: '', devices: ['a'] }, job)).toMatchObject({ devices: ['a'], exclude: ['lab'] });
  const all = definitionOf({ ...f, everywhere: true, devices: ['a'] }, job);
  expect(all).not.toHaveProperty('selector');
  expect(all).not.toHaveProperty('devices');
});

it('says whose it is where that changes', () => {
  expect(definitionOf({ ...formOfJob(job), visibility: 'team', team: 'night' }, job)?.owner).toEqual({
    visibility: 'team',
    team: 'night',
  });
  expect(wrongDefinition({ ...formOfJob(job), visibility: 'team' }, job)).toHaveProperty('team');
});

it('puts what was typed on top of what somebody else saved', () => {
  const base = formOfJob(job);
  const theirs = { ...base, script: '#!/bin/sh\nexit 1\n', devices: ['d'] };
  const merged = mergedOn(base, { ...base, retries: '7', include: ['e'] }, theirs);
  expect(merged).toEqual({ ...theirs, retries: '7', include: ['e'] });
});

it('says what a script lacks', () => {
  expect(hintOf('#!/usr/bin/env python3\n')).toEqual({ wrong: false, words: 'Run by python3.' });
  expect(hintOf('#!/bin/sh -e\n').words).toBe('Run by /bin/sh.');
  expect(hintOf('echo hi')).toMatchObject({ wrong: true });
  expect(hintOf('#!sh\n')).toMatchObject({ wrong: true });
  expect(hintOf('#!/bin/sh\r\necho\r\n').words).toMatch(/CRLF/);
});

it('says by field what is wrong, and sends nothing then', () => {
  const good = { ...newDefinition('host'), name: 'a', everywhere: true };
  expect(wrongDefinition(good)).toEqual({});
  const bad = {
    name: 'Ä',
    where: 'container' as const,
    mounts: 'data:x',
    env: '1=2',
    memory: '1',
    timeout: '0',
    retries: '1.5',
    cap: '0',
  };
  expect(Object.keys(wrongDefinition({ ...good, ...bad })).sort()).toEqual([
    'cap',
    'env',
    'image',
    'memory',
    'mounts',
    'name',
    'retries',
    'timeout',
  ]);
  expect(definitionOf({ ...good, ...bad })).toBeUndefined();
  expect(pairsOf('A=1\n\n  B=\nC\n')).toEqual({ values: { A: '1', B: '' }, kept: ['C'] });
});
