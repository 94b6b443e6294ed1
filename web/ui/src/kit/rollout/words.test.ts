import { expect, test } from 'vitest';
import { over, possible, summary, urgency } from './words';

test('what matters is said first', () => {
  expect(summary({ succeeded: 1200, waiting: 3, failed: 1 })).toBe('1 failed, 3 waiting, 1,200 succeeded');
  expect(summary({})).toBe('no device yet');
});

test('what is paused is not over', () => {
  expect([over('paused'), over('rolling-back'), over('failed'), over('done')]).toEqual([false, false, true, true]);
});

test('each phase has the buttons that the hub would not refuse', () => {
  const of = (phase: string, devices = {}) => possible({ phase, devices });
  expect(of('planned')).toEqual(['pause', 'abort']);
  expect(of('running')).toEqual(['pause', 'skip', 'abort']);
  expect(of('soaking', { failed: 1 })).toEqual(['pause', 'skip', 'retry', 'abort']);
  expect(of('paused', { failed: 1 })).toEqual(['continue', 'retry', 'abort']);
  expect(of('rolling-back', { failed: 1 })).toEqual(['pause', 'abort']);
  expect(of('failed', { returned: 3 })).toEqual(['retry']);
  expect(of('aborted', { failed: 3 })).toEqual([]);
  expect(of('done', { succeeded: 9 })).toEqual([]);
});

test('one that waits for another can be aborted only, and one that waits for approval is approved first', () => {
  expect(possible({ phase: 'planned', devices: {}, queued: true })).toEqual(['abort']);
  expect(possible({ phase: 'running', devices: {}, unapproved: true })[0]).toBe('approve');
  expect(possible({ phase: 'done', devices: {}, unapproved: true })).toEqual(['approve']);
  expect(possible({ phase: 'aborted', devices: {}, unapproved: true })).toEqual([]);
});

test('what needs a person comes before what goes on by itself', () => {
  const phases = ['soaking', 'planned', 'paused', 'running', 'rolling-back', 'something-new', 'failed'];
  expect(phases.sort((a, b) => urgency(a) - urgency(b))).toEqual([
    'paused',
    'failed',
    'rolling-back',
    'running',
    'soaking',
    'planned',
    'something-new',
  ]);
});
