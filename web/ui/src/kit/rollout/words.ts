import { count } from '../bytes';

/** The states of devices in a rollout or an update, those first that somebody has to look at. */
export const states = [
  'stuck',
  'failed',
  'returning',
  'started',
  'chosen',
  'waiting',
  'returned',
  'succeeded',
] as const;

const colors: Record<string, string> = {
  stuck: 'red',
  failed: 'red',
  returning: 'orange',
  returned: 'orange',
  started: 'blue',
  chosen: 'blue',
  succeeded: 'green',
};

const stateWords: Record<string, string> = {
  chosen: 'next in its batch',
  returning: 'going back',
  returned: 'back',
  stuck: 'not brought back',
};

/** stateWord says how a device stands. */
export const stateWord = (state: string): string => stateWords[state] ?? state;

/** stateColor is the colour of a device's state. */
export const stateColor = (state: string): string => colors[state] ?? 'gray';

const phaseColors: Record<string, string> = {
  running: 'blue',
  soaking: 'blue',
  paused: 'orange',
  unapproved: 'orange',
  'rolling-back': 'orange',
  done: 'green',
  failed: 'red',
};

/** phaseColor is the colour of a phase. */
export const phaseColor = (phase: string): string => phaseColors[phase] ?? 'gray';

/** summary writes counts by state out, what matters first. */
export function summary(devices: Record<string, number>): string {
  const text = states
    .filter((s) => (devices[s] ?? 0) > 0)
    .map((s) => `${count(devices[s] ?? 0)} ${stateWord(s)}`)
    .join(', ');
  return text || 'no device yet';
}

/** over reports whether nothing more is started. */
export const over = (phase: string): boolean => ['done', 'failed', 'aborted'].includes(phase);

/** What can be asked of a rollout. */
export type Action = 'approve' | 'continue' | 'pause' | 'skip' | 'retry' | 'abort';

/** Course is what of a rollout says what can be asked of it. */
export interface Course {
  phase: string;
  devices: Record<string, number>;
  /** It waits for the one before it. */
  queued?: boolean | undefined;
  /** Devices wait until somebody approves it. */
  unapproved?: boolean | undefined;
}

/** possible lists what can be asked of a rollout in its phase, what one is most likely to want first. */
export function possible(c: Course): Action[] {
  const failed = ['failed', 'returned', 'stuck'].some((s) => (c.devices[s] ?? 0) > 0);
  if (c.queued) return ['abort'];
  const all: [Action, boolean][] = [
    ['approve', c.unapproved === true && c.phase !== 'aborted' && c.phase !== 'failed'],
    ['continue', c.phase === 'paused'],
    ['pause', !over(c.phase) && c.phase !== 'paused'],
    ['skip', c.phase === 'running' || c.phase === 'soaking'],
    ['retry', failed && c.phase !== 'aborted' && c.phase !== 'rolling-back'],
    ['abort', !over(c.phase)],
  ];
  return all.filter(([, can]) => can).map(([action]) => action);
}

/** shownPhase is the phase with what its devices wait for. */
export const shownPhase = (phase: string, unapproved: boolean): string =>
  unapproved && (phase === 'done' || phase === 'running') ? 'unapproved' : phase;

/** Where a phase stands among others in a list: what needs a person first. */
export const urgency = (phase: string): number => {
  const order = ['paused', 'unapproved', 'failed', 'rolling-back', 'running', 'soaking', 'planned'];
  return order.includes(phase) ? order.indexOf(phase) : order.length;
};
