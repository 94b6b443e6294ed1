import type { JobRow } from './queries';

/** rowsOf gives the jobs that are asked for, those that fail first and then by name. */
export function rowsOf(all: readonly JobRow[], asked: { q?: string; failing?: boolean }): JobRow[] {
  const words = (asked.q ?? '').toLowerCase().split(/\s+/);
  return all
    .filter((j) => !asked.failing || j.last.failed > 0)
    .filter((j) => {
      const text = `${j.name} ${j.group ?? ''} ${j.words}`.toLowerCase();
      return words.every((w) => text.includes(w));
    })
    .sort((a, b) => Number(b.last.failed > 0) - Number(a.last.failed > 0) || a.name.localeCompare(b.name));
}
