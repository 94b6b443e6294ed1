import { expect, it } from 'vitest';
import type { Command, Detail } from './queries';
import { commandWords, exitWords, outputNote, portWords, shortId, whenCollected } from './words';

const device = (command: string, liveness: Partial<Detail['liveness']> = {}) => ({
  effective: { settings: { command }, from: {} },
  liveness: { state: 'on-time', since: '', connected: true, ...liveness } as Detail['liveness'],
});

it('says when a device gets a command', () => {
  expect(whenCollected(device('push'))).toContain('at once');
  expect(whenCollected(device('push', { connected: false }))).toContain('next contact');
  expect(whenCollected(device('20m0s'))).toBe('The device collects commands each 20 min.');
  expect(whenCollected(device('off'))).toContain('session begins');
  expect(whenCollected(device('1m', { state: 'overdue' }))).toContain('comes back');
});

it('names commands, ports and digests', () => {
  expect(commandWords({ kind: 'container.restart', target: 'web-1' })).toBe('Restart web-1');
  expect(commandWords({ kind: 'container.kill', target: 'web-1', signal: 'HUP' })).toBe('Kill web-1 with HUP');
  expect(commandWords({ kind: 'later.kind' })).toBe('later.kind');
  expect(portWords({ private: 80, public: 8080 })).toBe('8080 → 80/tcp');
  expect(portWords({ private: 53, proto: 'udp' })).toBe('53/udp');
  expect(portWords({ private: 80, public: 80, ip: '::1' })).toBe('[::1]:80 → 80/tcp');
  expect(shortId(`sha256:${'ab'.repeat(32)}`)).toBe('abababababab');
});

it('says how a container ended', () => {
  expect(exitWords(0)).toBe('0: ended without an error');
  expect(exitWords(3)).toBe('3');
});

it('says what of an output is missing', () => {
  expect(outputNote({} as Command)).toBe('');
  expect(outputNote({ output_dropped_bytes: 2_000, output_lost: true } as Command)).toBe(
    'The output is not whole: 2.0 kB were cut from its beginning on the device; parts of it were lost on the way.',
  );
});
