import type { Schemas } from '../../api/client';
import { careful, type PlanForm, planOf } from '../../kit/rollout/plan';

/** Form is an update as it is typed in. */
export interface Form extends PlanForm {
  release: string;
  selector: string;
  group: string;
  downgrade: boolean;
  windows: string;
  zone: string;
  /** In minutes; '': as the hub has it. */
  trial: number | string;
  message: string;
}

/** empty is what a careful update begins with. */
export const empty: Form = {
  ...careful,
  release: '',
  selector: '',
  group: '',
  downgrade: false,
  windows: '',
  zone: '',
  trial: '',
  message: '',
};

const window = /^(\S+(?:\s+\S+){4})\s+for\s+(\d+)\s*(m|h)$/;
const linesOf = (text: string) =>
  text
    .split('\n')
    .map((l) => l.trim())
    .filter(Boolean);

/** wrongWindows names the first line that is no window; undefined: all are. */
export function wrongWindows(text: string): string | undefined {
  const line = linesOf(text).find((l) => !window.test(l));
  return line && `“${line}” is no window: want five fields of cron, and how long, such as 0 2 * * 6,7 for 2h.`;
}

/** spec is what the hub is asked for. What was left empty is left out. */
export function spec(f: Form): Schemas['UpdateSpec'] {
  const windows = linesOf(f.windows).map((l) => {
    const [, start, long, unit] = window.exec(l) ?? [];
    return { start, minutes: Number(long) * (unit === 'h' ? 60 : 1), zone: f.zone.trim() || undefined };
  });
  const { order, ...plan } = planOf(f);
  return {
    release: f.release,
    selector: f.selector || undefined,
    group: f.group || undefined,
    allow_downgrade: f.downgrade || undefined,
    order_label: order?.label,
    windows: windows.length > 0 ? windows : undefined,
    trial_seconds: Number(f.trial) * 60 || undefined,
    message: f.message.trim() || undefined,
    plan,
  } as Schemas['UpdateSpec'];
}
