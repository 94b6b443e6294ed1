import { bytes, count } from '../../kit/bytes';
import { span } from '../../kit/time';
import type { Run, Stream } from './queries';

/** tookWords says how long a run took. */
export function tookWords(ms: number | undefined): string {
  if (ms === undefined) return '–';
  return ms < 10_000 ? `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s` : span(ms / 1000);
}

/** endWords says how a run ended beyond its state: its code or signal, and what the device says of it. */
export function endWords(r: Pick<Run, 'code' | 'signal' | 'text' | 'attempt' | 'state'>): string {
  const out: string[] = [];
  if (r.signal) out.push(`signal ${r.signal}`);
  else if (r.code || r.state === 'done') out.push(`code ${r.code ?? 0}`);
  if ((r.attempt ?? 1) > 1) out.push(`attempt ${r.attempt}`);
  if (r.text) out.push(r.text);
  return out.join(', ') || '–';
}

/** countWords says how many runs an entry stands for, where it is more than one. */
export const countWords = (n: number | undefined): string => ((n ?? 1) > 1 ? count(n ?? 1, 'time') : '');

/** hereOf is how many bytes of a run's output the hub has. */
export const hereOf = (r: Pick<Run, 'stdout' | 'stderr'>): number =>
  [r.stdout, r.stderr].reduce((n, s) => n + (s ? s.have_to - s.have_from : 0), 0);

/** streamWords says how much a run wrote, and how much of that is kept where. */
export function streamWords(s: Stream): string {
  if (s.size === 0) return 'It wrote nothing.';
  const here = s.have_to - s.have_from;
  if (here === s.size) return 'All of it is here.';
  const out = [
    here > 0 ? `The last ${bytes(here)} of ${bytes(s.size)} are here.` : `Of ${bytes(s.size)} none is here.`,
  ];
  if (s.coming) out.push('The rest is on its way.');
  else if (s.lost) out.push('The rest was dropped on the device.');
  else if (s.kept <= here) out.push('The device keeps no more.');
  else if (s.kept < s.size) out.push(`The device keeps the last ${bytes(s.kept)}.`);
  return out.join(' ');
}
