import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { fromOf, type Since, spans } from '../data/queries';

export type Detail = Schemas['DeviceDetail'];
export type Observed = Schemas['Snapshot'];
export type Snapshot = Schemas['ProtocolSnapshot'];
export type Container = Schemas['ProtocolContainer'];
export type Command = Schemas['Command'];
export type NewCommand = Schemas['NewCommand'];
export type Entry = Schemas['TimelineEntry'];

/** The last known state of a device, or the one known of a time (RFC 3339). */
export const snapshotQuery = (device: string, asOf?: string) =>
  queryOptions({
    queryKey: ['device', device, 'snapshot', asOf ?? 'now'],
    queryFn: ({ signal }) =>
      ok(
        api.GET('/api/v1/devices/{device}/snapshot', {
          params: { path: { device }, query: asOf ? { as_of: asOf } : {} },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const timesQuery = (device: string) =>
  queryOptions({
    queryKey: ['device', device, 'snapshots'],
    queryFn: ({ signal }) =>
      ok(api.GET('/api/v1/devices/{device}/snapshots', { params: { path: { device } }, signal })),
  });

type Kind = NonNullable<Entry['kind']>;

export const timelineQuery = (device: string, kind?: Kind) =>
  infiniteQueryOptions({
    queryKey: ['device', device, 'timeline', kind ?? ''],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET('/api/v1/devices/{device}/timeline', {
          params: {
            path: { device },
            query: { limit: 50, ...(pageParam && { before: pageParam }), ...(kind && { kind: [kind] }) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });

// A command's way to the device has no events: what is not at its end is asked for again.
const look = 3_000;

export const commandsQuery = (device: string) =>
  queryOptions({
    queryKey: ['commands', device],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/commands', { params: { query: { device, limit: 200 } }, signal })),
    refetchInterval: (q) => (q.state.data?.items.some((c) => !c.final) ? look : false),
  });

export const commandQuery = (command: string) =>
  queryOptions({
    queryKey: ['commands', 'one', command],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/commands/{command}', { params: { path: { command } }, signal })),
    refetchInterval: (q) => (q.state.data && whole(q.state.data) ? false : look),
  });

/** whole reports whether nothing more comes of a command: it is at its end, and so is its output. */
export function whole(c: Command): boolean {
  return c.final && (c.output_lost === true || (c.output?.length ?? 0) > 0 || (c.output_bytes ?? 0) === 0);
}

/** What the device has spent, in its cycle and since some time. */
export const usageOfQuery = (device: string, since: Since) =>
  queryOptions({
    queryKey: ['device', device, 'usage', since],
    queryFn: ({ signal }) =>
      ok(
        api.GET('/api/v1/devices/{device}/usage', {
          params: { path: { device }, query: { step: spans[since].step, from: fromOf(since) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** When the device is in contact next. */
export const contactQuery = (device: string) =>
  queryOptions({
    queryKey: ['device', device, 'contact'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices/{device}/contact', { params: { path: { device } }, signal })),
    refetchInterval: 60_000,
  });
