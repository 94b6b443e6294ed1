import type { Schemas } from '../../api/client';

/** Form is an update as it is typed in. */
export interface Form {
  release: string;
  selector: string;
  group: string;
  batch: string;
  doubling: boolean;
  soak: number;
  failures: string;
  onFailure: string;
  downgrade: boolean;
  order: string;
  perGroup: number | string;
  windows: string;
  zone: string;
  /** In minutes; '': as the hub has it. */
  trial: number | string;
  message: string;
}

/** empty is what a careful update begins with. */
export const empty: Form = {
  release: '',
  selector: '',
  group: '',
  batch: '1',
  doubling: true,
  soak: 15,
  failures: '',
  onFailure: 'pause',
  downgrade: false,
  order: '',
  perGroup: '',
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
  return {
    release: f.release,
    selector: f.selector || undefined,
    group: f.group || undefined,
    allow_downgrade: f.downgrade || undefined,
    order_label: f.order.trim() || undefined,
    windows: windows.length > 0 ? windows : undefined,
    trial_seconds: Number(f.trial) * 60 || undefined,
    message: f.message.trim() || undefined,
    plan: {
      batch: f.batch || undefined,
      doubling: (f.batch && f.doubling) || undefined,
      soak_seconds: f.soak * 60 || undefined,
      failures: f.failures || undefined,
      on_failure: f.onFailure,
      by_order: f.order.trim() !== '' || undefined,
      per_group: Number(f.perGroup) || undefined,
    },
  } as Schemas['UpdateSpec'];
}
