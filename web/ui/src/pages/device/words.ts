import { bytes } from '../../kit/bytes';
import { secondsOf } from '../../kit/frequency';
import { span } from '../../kit/time';
import type { Command, Container, Detail } from './queries';

/** whenCollected says honestly when a device gets what is asked of it now. */
export function whenCollected(d: Pick<Detail, 'effective' | 'liveness'>): string {
  const every = d.effective.settings.command ?? '';
  const { state, connected } = d.liveness;
  if (state === 'revoked') return 'The device is shut out: it gets no commands.';
  if (state === 'never-seen') return 'The device has never made contact: it gets the command when it first does.';
  if (state === 'overdue') return 'The device is overdue: it gets the command when it comes back.';
  if (every === 'off') return 'The device collects commands only when a session begins.';
  const s = secondsOf(every);
  if (s === undefined) {
    return connected ? 'The device is connected and gets it at once.' : 'The device gets it at its next contact.';
  }
  return `The device collects commands each ${span(s)}.`;
}

/** whenSeen says when the lists show what a command did. */
export function whenSeen(d: Pick<Detail, 'effective'>): string {
  const every = d.effective.settings.snapshot ?? '';
  if (every === 'push') return 'The lists show it in a moment.';
  const s = secondsOf(every);
  return s === undefined
    ? 'The device sends no snapshots by itself: ask for one to see what it did.'
    : `The lists show it with the next snapshot; one is sent each ${span(s)}.`;
}

const verbs: Record<string, string> = {
  'container.start': 'Start',
  'container.stop': 'Stop',
  'container.restart': 'Restart',
  'container.kill': 'Kill',
  'container.remove': 'Remove container',
  'container.logs': 'Logs of',
  'stack.redeploy': 'Redeploy stack',
  'image.remove': 'Remove image',
  'volume.remove': 'Remove volume',
  snapshot: 'Snapshot',
};

/** commandWords names a command: "Restart web-1". */
export function commandWords(c: Pick<Command, 'kind' | 'target' | 'signal'>): string {
  return [verbs[c.kind] ?? c.kind, c.target, c.signal && `with ${c.signal}`].filter(Boolean).join(' ');
}

/** portWords writes a port as people know it: 8080 → 80/tcp. */
export function portWords(p: NonNullable<Container['ports']>[number]): string {
  const inside = `${p.private}/${p.proto || 'tcp'}`;
  if (!p.public) return inside;
  const host = p.ip ? `${p.ip.includes(':') ? `[${p.ip}]` : p.ip}:` : '';
  return `${host}${p.public} → ${inside}`;
}

/** shortId is the part of an id or digest that people compare. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** exitWords says how a container ended: "137: killed". */
export function exitWords(code: number): string {
  if (code === 0) return '0: ended without an error';
  const known: Record<number, string> = {
    125: 'the engine could not run it',
    126: 'its program cannot be run',
    127: 'its program is not in the image',
    137: 'killed (SIGKILL, or out of memory)',
    139: 'crashed (SIGSEGV)',
    143: 'ended by SIGTERM',
  };
  return known[code] ? `${code}: ${known[code]}` : String(code);
}

/** outputNote says what is missing of a command's output; '': nothing. */
export function outputNote(c: Command): string {
  const parts: string[] = [];
  if (c.output_dropped_bytes) parts.push(`${bytes(c.output_dropped_bytes)} were cut from its beginning on the device`);
  if (c.output_lost) parts.push('parts of it were lost on the way');
  return parts.length > 0 ? `The output is not whole: ${parts.join('; ')}.` : '';
}
