/** Selection is what is ticked: some devices by their ids, or all that fit, however many rows were loaded. */
export type Selection = { all: true } | { all: false; ids: ReadonlySet<string> };

export const nothing: Selection = { all: false, ids: new Set() };

/** ticked turns a device's tick. Where all are selected, single ones cannot be left out. */
export function ticked(now: Selection, id: string): Selection {
  if (now.all) return now;
  const ids = new Set(now.ids);
  if (!ids.delete(id)) ids.add(id);
  return { all: false, ids };
}

/** added ticks devices beside those that are. */
export function added(now: Selection, more: Iterable<string>): Selection {
  if (now.all) return now;
  return { all: false, ids: new Set([...now.ids, ...more]) };
}

/** sizeOf is how many are selected, where total fit. */
export function sizeOf(now: Selection, total: number): number {
  return now.all ? total : now.ids.size;
}
