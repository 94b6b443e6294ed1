import { count } from '../../kit/bytes';

/** The states of devices in an update, those first that somebody has to look at. */
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
  'rolling-back': 'orange',
  done: 'green',
  failed: 'red',
};

/** phaseColor is the colour of an update's phase. */
export const phaseColor = (phase: string): string => phaseColors[phase] ?? 'gray';

const codeWords: Record<string, string> = {
  quiet: 'not heard of now: joins when it comes',
  window: 'outside its change windows',
  preparing: 'its programs are being made ready on the hub',
  'other-update': 'another update of it is under way',
  'does-not-collect': 'is heard of, and did not collect the last command',
  current: 'runs this release',
  'update-unable': 'cannot update itself',
  'update-platform': 'the release has no program for it',
  'update-newer': 'runs something newer',
  'update-no-release': 'the release is not on the hub',
  'update-silent': 'took the update, and was not heard of for long',
  'update-hub': 'the hub could not give it',
  'update-refused': 'the device refused it',
  'update-fetch': 'the programs could not be fetched',
  'update-disk': 'no room on its disk',
  'update-reverted': 'the new agent did not prove itself: the old one is back',
};

/** codeWord says a code in words; one that is not known as it is. */
export const codeWord = (code: string): string => codeWords[code] ?? code;

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
