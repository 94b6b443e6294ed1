import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { prefix, type Schemas } from './client';
import { Reader } from './sse';

/** How the stream of events is: connecting for the first time, live, or lost (and tried again). */
export type LiveState = 'connecting' | 'live' | 'lost';

// The hub shows each 25 s that the stream lives; a network that just goes quiet is noticed after this.
const silence = 40_000;
const retryFirst = 1_000;
const retryMost = 15_000;
// Reads that events make necessary are gathered, so that a busy fleet does not keep the page reading.
const gatherFor = 1_000;

/**
 * Live follows the hub's events and makes the query cache read again what they are about. After a loss it goes on
 * behind the last event it saw, and reads everything anew, because what only passes by is not kept by the hub.
 */
export class Live {
  state: LiveState = 'connecting';
  /** Since when the stream is lost. */
  lostAt = 0;
  private readonly listeners = new Set<() => void>();
  private readonly taps = new Set<(event: Schemas['Event']) => void>();
  private readonly stale = new Map<string, readonly unknown[]>();
  private gather: ReturnType<typeof setTimeout> | undefined;
  private last = '';
  private stopped = new AbortController();

  /** signedOut is called when the hub no longer knows who asks; the stream then waits for the next start. */
  constructor(
    private readonly cache: QueryClient,
    private readonly signedOut: () => void,
  ) {}

  /** start follows until stop is called. */
  start(): void {
    this.stopped.abort();
    this.stopped = new AbortController();
    void this.follow(this.stopped.signal);
  }

  stop(): void {
    this.stopped.abort();
    clearTimeout(this.gather);
    this.gather = undefined;
    this.stale.clear();
    this.set('connecting');
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** tap gives each event as it comes to a listener, until the function that it returns is called. */
  tap = (listener: (event: Schemas['Event']) => void): (() => void) => {
    this.taps.add(listener);
    return () => this.taps.delete(listener);
  };

  private set(state: LiveState) {
    if (state === this.state) return;
    if (state === 'lost') this.lostAt = Date.now();
    this.state = state;
    for (const l of this.listeners) l();
  }

  private async follow(stopped: AbortSignal) {
    let wait = retryFirst;
    let was = false;
    while (!stopped.aborted) {
      const began = Date.now();
      const status = await this.read(stopped, () => {
        if (was) void this.cache.invalidateQueries();
        was = true;
        this.set('live');
      });
      if (stopped.aborted) return;
      if (status === 401) {
        this.set('lost');
        this.signedOut();
        return;
      }
      this.set('lost');
      if (Date.now() - began > retryMost) wait = retryFirst;
      await pause(wait, stopped);
      wait = Math.min(2 * wait, retryMost);
    }
  }

  /** read follows one connection to its end and gives its status; 0: no answer. */
  private async read(stopped: AbortSignal, opened: () => void): Promise<number> {
    const quiet = new AbortController();
    let timer = setTimeout(() => quiet.abort(), silence);
    try {
      const answer = await fetch(`${prefix}/api/v1/events`, {
        headers: this.last ? { 'Last-Event-ID': this.last } : {},
        signal: AbortSignal.any([stopped, quiet.signal]),
      });
      if (!answer.ok || !answer.body) return answer.status;
      opened();
      const reader = new Reader();
      const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) return answer.status;
        clearTimeout(timer);
        timer = setTimeout(() => quiet.abort(), silence);
        for (const message of reader.feed(value)) {
          if (message.id) this.last = message.id;
          this.take(JSON.parse(message.data) as Schemas['Event']);
        }
      }
    } catch {
      return 0; // lost, which the mark in the header shows
    } finally {
      clearTimeout(timer);
    }
  }

  private take(event: Schemas['Event']) {
    for (const t of this.taps) t(event);
    for (const key of concerns(event)) this.stale.set(JSON.stringify(key), key);
    this.gather ??= setTimeout(() => {
      this.gather = undefined;
      const keys = [...this.stale.values()];
      this.stale.clear();
      for (const queryKey of keys) void this.cache.invalidateQueries({ queryKey });
    }, gatherFor);
  }
}

/** concerns names the queries that an event makes stale, as beginnings of their keys (see queries.ts). */
export function concerns(
  e: Pick<Schemas['Event'], 'kind' | 'device' | 'stack' | 'data'>,
): readonly (readonly unknown[])[] {
  if (e.kind === 'gap') return [[]];
  const keys: (readonly unknown[])[] = [];
  if (e.device) keys.push(['device', e.device]);
  if (e.kind.startsWith('device.')) keys.push(['devices'], ['groups']);
  // Who is in an edge group follows devices; whether they are heard of does not matter to it.
  if (
    e.kind.startsWith('edge-group.') ||
    ['device.added', 'device.updated', 'device.removed', 'device.revoked'].includes(e.kind)
  )
    keys.push(['edge-groups'], ['edge-group']);
  if (e.kind.startsWith('waiting.')) keys.push(['waiting'], ['devices'], ['keys']);
  if (e.stack || e.kind.startsWith('stack.'))
    keys.push(['stacks'], ['stack', ...(e.stack ? [e.stack] : [])], ['devices'], ['rollouts']);
  if (e.kind.startsWith('job.')) {
    const { job } = (e.data ?? {}) as { job?: unknown };
    keys.push(['jobs'], ['job', ...(typeof job === 'string' ? [job] : [])]);
  }
  if (e.kind.startsWith('command.')) keys.push(['commands']);
  return keys;
}

/** useLive gives how the stream is. */
export function useLive(live: Live): LiveState {
  return useSyncExternalStore(live.subscribe, () => live.state);
}

function pause(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopped.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
