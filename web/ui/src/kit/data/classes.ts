/** The byte classes in the order in which bars stack them: what being in contact costs is at the bottom. */
export const classes = [
  'session',
  'desired',
  'results',
  'snapshot',
  'output',
  'blob',
  'pull',
  'tunnel',
  'other',
] as const;

export type Class = (typeof classes)[number];

const words: Record<Class, { name: string; means: string }> = {
  session: { name: 'session', means: 'connecting, pings, acknowledgements' },
  desired: { name: 'desired (orders)', means: 'orders: stacks, settings, commands' },
  results: { name: 'results', means: 'results of commands, states of stacks, events' },
  snapshot: { name: 'snapshot', means: 'what the device sees of itself' },
  output: { name: 'output', means: 'output of jobs, logs' },
  blob: { name: 'blob (files)', means: 'files of bundles, programs of updates' },
  pull: { name: 'pull (images)', means: 'layers of images' },
  tunnel: { name: 'tunnel', means: 'live work' },
  other: { name: 'other', means: 'knocks, looking up names' },
};

/** className is what a class is called; one that this console does not know is shown as it is. */
export const className = (c: string): string => words[c as Class]?.name ?? c;

/** classMeans says what the bytes of a class are spent on. */
export const classMeans = (c: string): string => words[c as Class]?.means ?? '';

/** Counts are bytes by class, up and down, as the API has them. */
export type Counts = Readonly<Record<string, { up: number; down: number }>>;

/** Step is what was spent in one hour or day. */
export interface Step {
  /** When it began, RFC 3339. */
  at: string;
  classes: Counts;
}

/** bytesOf gives what one class has cost, both directions together. */
export const bytesOf = (counts: Counts, c: string): number => (counts[c]?.up ?? 0) + (counts[c]?.down ?? 0);

/** sumOf gives what all classes have cost. */
export const sumOf = (counts: Counts): number =>
  Object.values(counts).reduce((sum, { up, down }) => sum + up + down, 0);

/** classesOf lists the classes that cost anything in one of the steps, as bars stack them. */
export function classesOf(steps: readonly Step[]): string[] {
  const seen = new Set(steps.flatMap((s) => Object.keys(s.classes).filter((c) => bytesOf(s.classes, c) > 0)));
  const known = classes.filter((c) => seen.has(c));
  return [...known, ...[...seen].filter((c) => !classes.includes(c as Class)).sort()];
}

/** colorOf is the colour of a class, of data.css. */
export const colorOf = (c: string): string => `var(--da-${classes.includes(c as Class) ? c : 'other'})`;
