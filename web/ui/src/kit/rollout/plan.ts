import type { Schemas } from '../../api/client';
import { count } from '../bytes';
import { span } from '../time';

/** PlanForm is a plan as it is typed in. */
export interface PlanForm {
  readonly steps: 'once' | 'batches';
  /** A number, or a share such as 10%. Empty: all, or all of an order. */
  readonly batch: string;
  readonly doubling: boolean;
  /** In minutes. */
  readonly soak: number;
  /** Of a hundred; '': all but the failures that are allowed. */
  readonly success: number | string;
  readonly failures: string;
  readonly onFailure: string;
  /** The label by which devices go, and its values, apart by commas; none: they are numbers. */
  readonly order: string;
  readonly values: string;
  readonly perGroup: number | string;
}

/** atOnce is the plan of all devices at once, and what a careful one begins with when batches are chosen. */
export const atOnce: PlanForm = {
  steps: 'once',
  batch: '1',
  doubling: true,
  soak: 15,
  success: '',
  failures: '',
  onFailure: 'pause',
  order: '',
  values: '',
  perGroup: '',
};

/** careful begins with one device. */
export const careful: PlanForm = { ...atOnce, steps: 'batches' };

/** What is done when more devices fail than may. */
export const onFailures = [
  { value: 'pause', label: 'Pause', words: 'pause' },
  { value: 'continue', label: 'Go on', words: 'go on' },
  { value: 'roll-back-batch', label: 'Bring the batch back, and pause', words: 'bring the batch back, and pause' },
  { value: 'roll-back-all', label: 'Bring all back, and end', words: 'bring all back, and end' },
] as const;

const amount = /^(\d{1,9})\s*(%?)$/;

function wrongAmount(text: string, least: number): boolean {
  const m = amount.exec(text.trim());
  const n = Number(m?.[1]);
  return !m || n < least || (m[2] === '%' && n > 100);
}

const valuesOf = (f: PlanForm) =>
  f.values
    .split(',')
    .map((v) => v.trim())
    .filter(Boolean);

/** What is wrong with a plan, by its field. */
export type WrongPlan = Partial<Record<keyof PlanForm, string>>;

/** wrongPlan says what is wrong with a plan. */
export function wrongPlan(f: PlanForm): WrongPlan {
  const wrong: WrongPlan = {};
  if (f.steps === 'once') return wrong;
  if (f.batch.trim() === '') {
    if (f.order.trim() === '') wrong.batch = 'Say how many devices change together, or by which label they go.';
  } else if (wrongAmount(f.batch, 1)) {
    wrong.batch = 'Use a number such as 10, or a share from 1% to 100%.';
  }
  if (f.failures.trim() !== '' && wrongAmount(f.failures, 0)) {
    wrong.failures = 'Use a number such as 2, or a share such as 5%.';
  }
  const success = Number(f.success);
  if (f.success !== '' && !(success >= 0 && success <= 100)) wrong.success = 'Use 0 to 100.';
  if (valuesOf(f).length > 32) wrong.values = 'Use at most 32 values: what has none of them goes last.';
  return wrong;
}

/** planOf gives the plan that the API takes. What was left empty is left out. */
export function planOf(f: PlanForm): Schemas['RolloutPlan'] {
  if (f.steps === 'once') return {};
  const batch = f.batch.replace(/\s/g, '');
  const failures = f.failures.replace(/\s/g, '');
  const label = f.order.trim();
  const values = valuesOf(f);
  return {
    ...(batch && { batch }),
    ...(batch && f.doubling && { doubling: true }),
    ...(f.soak > 0 && { soak_seconds: Math.round(f.soak * 60) }),
    ...(Number(f.success) > 0 && { success_percent: Number(f.success) }),
    ...(failures && failures !== '0' && { failures }),
    on_failure: f.onFailure,
    ...(Number(f.perGroup) > 0 && { per_group: Number(f.perGroup) }),
    ...(label && { by_order: true, order: { label, ...(values.length > 0 && { values }) } }),
  };
}

/** formOf gives the fields of a plan that is on the hub. */
export function formOf(p: Schemas['RolloutPlan']): PlanForm {
  const { on_failure, ...rest } = p;
  if (Object.keys(rest).length === 0 && (on_failure ?? 'pause') === 'pause') return atOnce;
  return {
    steps: 'batches',
    batch: p.batch ?? '',
    doubling: p.doubling ?? false,
    soak: (p.soak_seconds ?? 0) / 60,
    success: p.success_percent || '',
    failures: p.failures ?? '',
    onFailure: on_failure ?? 'pause',
    order: p.order?.label ?? '',
    values: (p.order?.values ?? []).join(', '),
    perGroup: p.per_group || '',
  };
}

/** samePlan tells whether two plans say the same to the hub. */
export function samePlan(a: PlanForm, b: PlanForm): boolean {
  return JSON.stringify(planOf(a)) === JSON.stringify(planOf(b));
}

const devices = (text: string) =>
  text.includes('%') ? `${text.replace(/\s/g, '')} of the devices` : count(Number(text), 'device');

/** planWords says a plan in sentences. */
export function planWords(f: PlanForm): string {
  if (f.steps === 'once') return 'All devices at once; nothing is watched.';
  const batch = f.batch.trim();
  const order = f.order.trim();
  const values = valuesOf(f);
  const size = batch ? devices(batch) : '';
  const said: string[] = [];
  let first = !batch
    ? 'All devices of an order at once'
    : f.doubling
      ? `Batches that double, from ${size}`
      : `Batches of ${size}`;
  if (order) {
    first +=
      values.length > 0
        ? `, by ${order}: ${values.join(', then ')}, then the others`
        : `, by ${order}, the lowest first`;
  }
  if (Number(f.perGroup) > 0) first += `, at most ${count(Number(f.perGroup))} of one group at once`;
  said.push(`${first}.`);
  if (f.soak > 0) said.push(`Each is watched for ${span(f.soak * 60)} before the next begins.`);
  if (Number(f.success) > 0) said.push(`${f.success}% of a batch must succeed.`);
  const then = onFailures.find((o) => o.value === f.onFailure)?.words ?? f.onFailure;
  const failures = f.failures.trim();
  if (f.onFailure === 'continue') said.push('Failures do not stop it.');
  else if (!failures || failures === '0') said.push(`At the first failure: ${then}.`);
  else said.push(`When more than ${failures} of a batch fail: ${then}.`);
  return said.join(' ');
}

/** batchesWords says how many devices are in the batches: "1, 2, 4 and 8 devices". */
export function batchesWords(sizes: readonly number[], rest = 0): string {
  const [only] = sizes;
  if (only === undefined) return 'no device to change';
  if (sizes.length === 1 && rest === 0) return `one batch of ${count(only, 'device')}`;
  const shown = sizes.slice(0, 8);
  const more = rest + sizes.slice(8).reduce((sum, n) => sum + n, 0);
  const list = shown.map((n) => count(n));
  if (more > 0) return `batches of ${list.join(', ')}, and ${count(more)} more devices in later ones`;
  return `${count(sizes.length)} batches, of ${list.slice(0, -1).join(', ')} and ${list.at(-1)} devices`;
}
