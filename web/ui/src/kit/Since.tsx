import { Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { ago, dateOf, exact, type Time, until } from './time';

// One clock for the whole page, so that all times change together and none keeps a timer of its own.
const clock = {
  now: Date.now(),
  timer: undefined as ReturnType<typeof setInterval> | undefined,
  listeners: new Set<() => void>(),
};

function subscribe(listener: () => void) {
  // While nobody listened, it stood still.
  if (clock.listeners.size === 0) clock.now = Date.now();
  clock.listeners.add(listener);
  clock.timer ??= setInterval(() => {
    clock.now = Date.now();
    for (const l of clock.listeners) l();
  }, 1000);
  return () => {
    clock.listeners.delete(listener);
    if (clock.listeners.size === 0) {
      clearInterval(clock.timer);
      clock.timer = undefined;
    }
  };
}

/** useNow gives the present time in ms, each second anew. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => clock.now);
}

/** useAgo says how far a time is from now; it renders again only when the words change. */
export function useAgo(d: Date | undefined): string | undefined {
  return useSyncExternalStore(subscribe, () => (d ? ago(d, clock.now) : undefined));
}

/** useUntil says how far a time is ahead, and "now" once it has come. */
export function useUntil(d: Date | undefined): string | undefined {
  return useSyncExternalStore(subscribe, () => (d ? until(d, clock.now) : undefined));
}

/** Since shows how far a time is from now, and the exact one on hover. */
export function Since({ at, none = '–' }: { at: Time; none?: string }) {
  const d = dateOf(at);
  const words = useAgo(d);
  if (!d) return <span>{none}</span>;
  return (
    <Tooltip label={exact(d)}>
      <time dateTime={d.toISOString()}>{words}</time>
    </Tooltip>
  );
}
