import type { Difference } from './Conflict';

/** What can be edited of a thing, as text by field. */
export type Fields = Readonly<Record<string, string>>;

const value = (f: Fields, name: string) => f[name] ?? '';

/** onTop gives what is there now with what I changed since base on top of it. */
export function onTop<T extends Fields>(base: T, mine: T, theirs: T): T {
  const mineOnly = Object.entries(mine).filter(([name, v]) => v !== value(base, name));
  return { ...theirs, ...Object.fromEntries(mineOnly) };
}

/** differences lists the fields in which mine and theirs are not the same, by the names that people read. */
export function differences(mine: Fields, theirs: Fields, names: Fields): Difference[] {
  return [...new Set([...Object.keys(mine), ...Object.keys(theirs)])]
    .filter((f) => value(mine, f) !== value(theirs, f))
    .map((f) => ({ field: names[f] ?? f, mine: value(mine, f), theirs: value(theirs, f) }));
}
