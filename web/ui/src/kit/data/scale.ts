/** Scale is the height of a chart: its top, and where lines are drawn across it. */
export interface Scale {
  top: number;
  lines: number[];
}

/** scaleOf gives a scale with round numbers for values up to most, in 2 to 5 lines. */
export function scaleOf(most: number): Scale {
  if (!(most > 0)) return { top: 1, lines: [] };
  const size = 10 ** Math.floor(Math.log10(most));
  const step = [0.25, 0.5, 1, 2.5].map((f) => Math.max(1, f * size)).find((s) => most / s <= 4.5) ?? 2.5 * size;
  const n = Math.ceil(most / step);
  return { top: n * step, lines: Array.from({ length: n }, (_, i) => (i + 1) * step) };
}

/** filled puts a step of nothing where the hub has none, so that bars stand where their time is. */
export function filled<S extends { at: string }>(
  steps: readonly S[],
  { from, to, seconds, empty }: { from: number; to: number; seconds: number; empty: (at: string) => S },
): S[] {
  const long = seconds * 1000;
  const known = [...steps].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  // Steps begin where those of the hub do, which may be at midnight somewhere else.
  const first = known[0] ? Date.parse(known[0].at) : Math.floor(from / long) * long;
  const out: S[] = [];
  let i = 0;
  for (let t = first - Math.max(0, Math.floor((first - from) / long)) * long; t < to && out.length < 1000; t += long) {
    let step: S | undefined;
    // Where clocks were changed a day has 23 or 25 hours.
    while (i < known.length && Date.parse(known[i]?.at ?? '') < t + long / 2) step = known[i++];
    out.push(step ?? empty(new Date(t).toISOString()));
  }
  return out;
}
