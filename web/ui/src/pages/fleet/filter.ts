import type { DeviceFilter } from '../../api/queries';
import type { fleetSearch } from '../../app/search';
import { livenessStates } from '../../kit/states';

/** What the fleet page keeps in the address. */
export type FleetSearch = ReturnType<typeof fleetSearch>;

export type LivenessState = (typeof livenessStates)[number];
export type Sort = NonNullable<DeviceFilter['sort']>;

/** What narrows the list, as the API takes it: in queries, and in the body of a change of many. */
export interface Filter {
  q?: string;
  selector?: string;
  state?: LivenessState[];
  group?: string;
  mode?: 'async' | 'standard';
  profile?: string;
  version?: string;
  stack?: string;
  stage?: 'free' | 'saving' | 'last' | 'silent';
  trouble?: boolean;
}

const narrowing = ['q', 'selector', 'group', 'mode', 'profile', 'version', 'stack', 'stage', 'trouble'] as const;

/** statesOf reads the states that are asked for; words that are no state are left out. */
export function statesOf(search: FleetSearch): LivenessState[] {
  const asked = search.state?.split(',') ?? [];
  return livenessStates.filter((s) => asked.includes(s));
}

/** filterOf gives what the address asks for, with nothing in it that is not set. */
export function filterOf(search: FleetSearch): Filter {
  const filter: Filter = {};
  const states = statesOf(search);
  if (states.length > 0) filter.state = states;
  for (const key of narrowing) {
    if (search[key] !== undefined) Object.assign(filter, { [key]: search[key] });
  }
  return filter;
}

/** toggled adds a state to those asked for, or takes it away. */
export function toggled(search: FleetSearch, state: LivenessState): string | undefined {
  const now = statesOf(search);
  const next = livenessStates.filter((s) => (s === state) !== now.includes(s));
  return next.join(',') || undefined;
}

/** plain is the address without anything that narrows the list; how it is shown stays. */
export function plain(search: FleetSearch): FleetSearch {
  const { sort, hide, view } = search;
  return JSON.parse(JSON.stringify({ sort, hide, view }));
}

const sorts: readonly string[] = [
  'name',
  'group',
  'state',
  'last_contact',
  'next_contact',
  'mode',
  'version',
  'containers',
  'stacks',
  'share',
];

/** sortOf reads by what to sort; what the hub cannot sort by is by name. */
export function sortOf(search: FleetSearch): Sort {
  const s = search.sort ?? '';
  return sorts.includes(s.replace(/^-/, '')) ? (s as Sort) : 'name';
}

/** nextSort is what a click on a column's head asks for: up, then down, then by name again. */
export function nextSort(now: Sort, column: string): string | undefined {
  if (now === column) return `-${column}`;
  if (now === `-${column}`) return undefined;
  return column === 'name' ? undefined : column;
}

/** queryText writes what follows a ? in the address, as saved views keep it. */
export function queryText(search: object): string {
  const out = new URLSearchParams();
  for (const [k, v] of Object.entries(search)) {
    if (v !== undefined) out.set(k, Array.isArray(v) ? v.join(',') : String(v));
  }
  return out.toString();
}

/** queryOf reads what queryText wrote. */
export function queryOf(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}
