import type { Schemas } from '../../../api/client';
import { atOnce, formOf, type PlanForm, planOf, planWords, samePlan, wrongPlan } from '../../../kit/rollout/plan';
import { formOfWindow, ruleWords, type WindowForm, windowOf, wrongWindow } from '../../../kit/rollout/windows';

/** Rules are for which edge groups a stack is, in which steps and when devices change, and when a version is good. */
export interface Rules {
  /** Names of edge groups: devices are in one of them; none: any. And those of which they are in none. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly plan: PlanForm;
  readonly windows: readonly WindowForm[];
  readonly approve: boolean;
  readonly fetchLate: boolean;
  /** In minutes. */
  readonly watch: number | string;
  /** '': as devices have it. */
  readonly retries: number | string;
  readonly stay: boolean;
}

export const noRules: Rules = {
  include: [],
  exclude: [],
  plan: atOnce,
  windows: [],
  approve: false,
  fetchLate: false,
  watch: '',
  retries: '',
  stay: false,
};

type Ruled = Pick<Schemas['Stack'], 'include' | 'exclude' | 'plan' | 'change'>;

/** healthOf gives the fields of when a version is good. */
export function healthOf(h: Schemas['Health']): Pick<Rules, 'watch' | 'retries' | 'stay'> {
  return { watch: h.watch_seconds ? h.watch_seconds / 60 : '', retries: h.retries || '', stay: h.stay ?? false };
}

/** rulesOf takes over what the hub says of a stack, and of its version. */
export function rulesOf(s: Ruled, health: Schemas['Health']): Rules {
  return {
    include: s.include,
    exclude: s.exclude,
    plan: formOf(s.plan),
    windows: (s.change.windows ?? []).map(formOfWindow),
    approve: s.change.approve ?? false,
    fetchLate: s.change.fetch_late ?? false,
    ...healthOf(health),
  };
}

/** What of the rules is changed together, as the API has it. Two that give the same text are the same. */
const parts = {
  include: (r: Rules) => [...r.include].sort(),
  exclude: (r: Rules) => [...r.exclude].sort(),
  plan: (r: Rules) => planOf(r.plan),
  change: (r: Rules) => ({
    ...(r.windows.length > 0 && { windows: r.windows.map(windowOf) }),
    ...(r.approve && { approve: true }),
    ...(r.fetchLate && { fetch_late: true }),
  }),
  health: (r: Rules) => ({
    ...(Number(r.watch) > 0 && { watch_seconds: Math.round(Number(r.watch) * 60) }),
    ...(Number(r.retries) > 0 && { retries: Number(r.retries) }),
    ...(r.stay && { stay: true }),
  }),
};
type Part = keyof typeof parts;

/** The fields of each part. */
const fields: Record<Part, readonly (keyof Rules)[]> = {
  include: ['include'],
  exclude: ['exclude'],
  plan: ['plan'],
  change: ['windows', 'approve', 'fetchLate'],
  health: ['watch', 'retries', 'stay'],
};

const all = Object.keys(parts) as Part[];

function same(part: Part, a: Rules, b: Rules): boolean {
  if (part === 'plan') return samePlan(a.plan, b.plan);
  return JSON.stringify(parts[part](a)) === JSON.stringify(parts[part](b));
}

/** sameRules tells whether two say the same to the hub. */
export const sameRules = (a: Rules, b: Rules): boolean => all.every((p) => same(p, a, b));

/** applyRules gives what the API takes. What is left out stays as it is on the hub. */
export function applyRules(r: Rules, was: Rules = noRules): Partial<Schemas['Apply']> {
  return Object.fromEntries(all.filter((p) => !same(p, r, was)).map((p) => [p, parts[p](r)]));
}

/** rulesOnTop puts what I changed on top of theirs, part by part. */
export function rulesOnTop(base: Rules, mine: Rules, theirs: Rules): Rules {
  const changed = all.filter((p) => !same(p, base, mine)).flatMap((p) => fields[p]);
  return { ...theirs, ...Object.fromEntries(changed.map((f) => [f, mine[f]])) };
}

/** wrongRules lists what has to be mended before the hub can be asked. */
export function wrongRules(r: Rules): string[] {
  const wrong = Object.values(wrongPlan(r.plan)).map((w) => `Rollout: ${w}`);
  for (const w of r.windows) {
    const text = wrongWindow(w);
    if (text) wrong.push(`Change window: ${text}`);
  }
  const twice = r.include.find((n) => r.exclude.includes(n));
  if (twice) wrong.push(`Devices: edge group ${twice} is both for them and against them: take it from one of the two.`);
  return wrong;
}

/** changeWords says when devices may be changed. */
export const changeWords = (r: Rules): string => ruleWords(parts.change(r));

/** healthWords says when a version is good, and what follows when it is not. */
export function healthWords(r: Rules): string {
  const watch = Number(r.watch);
  const good = watch > 0 ? `Good when it has run for ${watch} min.` : 'Good when it runs, and its checks agree.';
  const after = r.stay ? 'stays as it is' : 'gives way to the last good one';
  const tries = Number(r.retries) > 0 ? ` It is tried again ${r.retries === 1 ? 'once' : `${r.retries} times`}.` : '';
  return `${good} A version that fails ${after}.${tries}`;
}

/** rulesWords says all of it in which two people can differ. */
export function rulesWords(r: Rules): string {
  const groups = [
    r.include.length > 0 && `only of ${r.include.join(' or ')}`,
    r.exclude.length > 0 && `not of ${r.exclude.join(' or ')}`,
  ].filter(Boolean);
  return [groups.length > 0 && `Devices ${groups.join(', ')}.`, planWords(r.plan), changeWords(r), healthWords(r)]
    .filter(Boolean)
    .join(' ');
}
