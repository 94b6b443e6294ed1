import type { Schemas } from '../api/client';

/** told parts what a device says into its sentence, and the end of a log that follows it. */
export function told(detail = ''): { sentence: string; log: string } {
  const at = detail.indexOf('\n');
  return at < 0
    ? { sentence: detail, log: '' }
    : { sentence: detail.slice(0, at), log: detail.slice(at + 1).trimEnd() };
}

/** fetched gives how many of a hundred bytes a device has fetched; undefined: it fetches nothing, or nobody knows. */
export function fetched(s: Pick<Schemas['DeviceStack'], 'state' | 'done_bytes' | 'total_bytes'>): number | undefined {
  if (s.state !== 'fetching' || !s.total_bytes) return undefined;
  return Math.min(100, Math.floor((100 * (s.done_bytes ?? 0)) / s.total_bytes));
}
