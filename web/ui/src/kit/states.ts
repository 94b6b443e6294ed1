import {
  IconAlertTriangle,
  IconArrowBackUp,
  IconBan,
  IconCalendarClock,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleDot,
  IconCircleX,
  IconClock,
  IconDownload,
  IconHeartBroken,
  IconHeartbeat,
  IconHourglass,
  IconLeaf,
  IconLoader,
  IconLock,
  IconMoon,
  IconPackage,
  IconPlayerPause,
  IconPlayerStop,
  IconRefresh,
  IconTrash,
  IconVolumeOff,
  type TablerIcon,
} from '@tabler/icons-react';

/** Look is how a state is shown: always by colour, shape and word together. */
export interface Look {
  word: string;
  color: string;
  icon: TablerIcon;
}

const unknown = (word: string): Look => ({ word: word || 'unknown', color: 'gray', icon: IconCircleDashed });

const liveness: Record<string, Look> = {
  'on-time': { word: 'on time', color: 'green', icon: IconCircleCheck },
  late: { word: 'late', color: 'yellow', icon: IconClock },
  overdue: { word: 'overdue', color: 'red', icon: IconAlertTriangle },
  quiet: { word: 'quiet', color: 'blue', icon: IconMoon },
  'never-seen': { word: 'never seen', color: 'gray', icon: IconCircleDashed },
  revoked: { word: 'revoked', color: 'dark', icon: IconBan },
};

/** The states of liveness, what needs a person first. */
export const livenessStates = ['overdue', 'late', 'never-seen', 'quiet', 'on-time', 'revoked'] as const;

const container: Record<string, Look> = {
  running: { word: 'running', color: 'green', icon: IconCircleCheck },
  exited: { word: 'stopped', color: 'gray', icon: IconPlayerStop },
  created: { word: 'created', color: 'gray', icon: IconCircleDashed },
  paused: { word: 'paused', color: 'yellow', icon: IconPlayerPause },
  restarting: { word: 'restarting', color: 'yellow', icon: IconRefresh },
  removing: { word: 'removing', color: 'gray', icon: IconTrash },
  dead: { word: 'dead', color: 'red', icon: IconCircleX },
};

const stack: Record<string, Look> = {
  pending: { word: 'pending', color: 'gray', icon: IconCircleDashed },
  deferred: { word: 'deferred', color: 'gray', icon: IconHourglass },
  waiting: { word: 'waiting', color: 'gray', icon: IconClock },
  offered: { word: 'offered', color: 'blue', icon: IconCircleDot },
  fetching: { word: 'fetching', color: 'blue', icon: IconDownload },
  fetched: { word: 'fetched', color: 'cyan', icon: IconPackage },
  'waiting-for-window': { word: 'waits for its window', color: 'indigo', icon: IconCalendarClock },
  applying: { word: 'applying', color: 'blue', icon: IconLoader },
  verifying: { word: 'verifying', color: 'blue', icon: IconLoader },
  running: { word: 'running', color: 'green', icon: IconCircleCheck },
  degraded: { word: 'degraded', color: 'yellow', icon: IconAlertTriangle },
  failed: { word: 'failed', color: 'red', icon: IconCircleX },
  'rolling-back': { word: 'rolling back', color: 'orange', icon: IconArrowBackUp },
  'rolled-back': { word: 'rolled back', color: 'orange', icon: IconArrowBackUp },
  removing: { word: 'removing', color: 'gray', icon: IconTrash },
  removed: { word: 'removed', color: 'gray', icon: IconTrash },
};

/** The states of a stack on a device, in the order in which bars show them. */
export const stackStates = [
  'failed',
  'rolled-back',
  'rolling-back',
  'degraded',
  'applying',
  'verifying',
  'fetching',
  'offered',
  'fetched',
  'waiting-for-window',
  'pending',
  'waiting',
  'deferred',
  'removing',
  'running',
] as const;

/** What somebody at a device decided about a stack there. */
const hold: Record<string, Look> = {
  held: { word: 'held', color: 'violet', icon: IconLock },
  stopped: { word: 'stopped by hand', color: 'violet', icon: IconPlayerStop },
  'rolled-back': { word: 'rolled back by hand', color: 'violet', icon: IconArrowBackUp },
};

const command: Record<string, Look> = {
  queued: { word: 'queued', color: 'gray', icon: IconClock },
  sent: { word: 'sent', color: 'blue', icon: IconCircleDot },
  waiting: { word: 'waiting', color: 'orange', icon: IconClock },
  done: { word: 'done', color: 'green', icon: IconCircleCheck },
  failed: { word: 'failed', color: 'red', icon: IconCircleX },
  expired: { word: 'expired', color: 'yellow', icon: IconClock },
  interrupted: { word: 'interrupted', color: 'yellow', icon: IconAlertTriangle },
  refused: { word: 'refused', color: 'red', icon: IconBan },
  withdrawn: { word: 'withdrawn', color: 'gray', icon: IconBan },
};

/** How far a run of a job is, or how it ended. */
const run: Record<string, Look> = {
  running: { word: 'running', color: 'blue', icon: IconLoader },
  done: { word: 'done', color: 'green', icon: IconCircleCheck },
  failed: { word: 'failed', color: 'red', icon: IconCircleX },
  'timed-out': { word: 'timed out', color: 'red', icon: IconClock },
  cancelled: { word: 'cancelled', color: 'gray', icon: IconBan },
  interrupted: { word: 'interrupted', color: 'orange', icon: IconAlertTriangle },
  skipped: { word: 'skipped', color: 'gray', icon: IconCircleDashed },
  missed: { word: 'missed', color: 'yellow', icon: IconMoon },
  refused: { word: 'refused', color: 'red', icon: IconBan },
};

/** The states of a run, what needs a person first. */
export const runStates = [
  'failed',
  'timed-out',
  'interrupted',
  'refused',
  'running',
  'missed',
  'skipped',
  'cancelled',
  'done',
] as const;

const waiting: Record<string, Look> = {
  waiting: { word: 'waiting', color: 'orange', icon: IconClock },
  rejected: { word: 'rejected', color: 'red', icon: IconCircleX },
  blocked: { word: 'blocked', color: 'dark', icon: IconBan },
};

const health: Record<string, Look> = {
  healthy: { word: 'healthy', color: 'green', icon: IconHeartbeat },
  starting: { word: 'health not known yet', color: 'gray', icon: IconHeartbeat },
  unhealthy: { word: 'unhealthy', color: 'red', icon: IconHeartBroken },
};

/** How far a device is through its budget. */
const spending: Record<string, Look> = {
  free: { word: 'free', color: 'green', icon: IconCircleCheck },
  saving: { word: 'saving', color: 'yellow', icon: IconLeaf },
  last: { word: 'last', color: 'orange', icon: IconAlertTriangle },
  silent: { word: 'silent', color: 'red', icon: IconVolumeOff },
};

/** The stages of spending, what needs a person first. */
export const stages = ['silent', 'last', 'saving', 'free'] as const;

const stageReasons: Record<string, string> = {
  free: 'Below the soft cap, or without one.',
  saving: 'Past the soft cap: intervals are four times as long; output and logs wait.',
  last: 'Near the hard cap: results, urgent commands, and pings at the floor interval only.',
  silent:
    'At the hard cap: nothing until the cycle ends or somebody lifts it, but for a ping a day where that is allowed.',
};

/** stageReason says what a device does at a stage of spending. */
export const stageReason = (stage: string): string | undefined => stageReasons[stage];

const kinds = { spending, liveness, container, health, stack, hold, command, run, waiting };

/** lookOf gives how a state of some kind is shown. A word that this console does not know is shown as it is. */
export function lookOf(kind: keyof typeof kinds, state: string): Look {
  return kinds[kind][state] ?? unknown(state);
}
