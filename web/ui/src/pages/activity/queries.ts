import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok, prefix, type Schemas } from '../../api/client';
import { problemOf } from '../../api/problem';
import type { paths } from '../../api/schema';
import { Reader } from '../../api/sse';

export type Event = Schemas['Event'];
export type Audit = Schemas['Audit'];

type AuditQuery = NonNullable<paths['/api/v1/audit']['get']['parameters']['query']>;

/** AuditFilter says which entries of the audit trail fit. */
export type AuditFilter = Omit<AuditQuery, 'before' | 'after' | 'limit'>;

export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET('/api/v1/audit', {
          params: { query: { ...filter, limit: 100, ...(pageParam && { before: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    // Who has gone back in time is not brought out of it.
    refetchInterval: (q) => (q.state.data && q.state.data.pages.length > 1 ? false : 15_000),
  });

/** eventsQuery reads what happened up to now, the newest first. Live adds what comes. */
export const eventsQuery = (since: string) =>
  queryOptions({
    queryKey: ['events', since],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ follow: 'false', ...(since === '0' ? { after: '0' } : { since }) });
      const answer = await fetch(`${prefix}/api/v1/events?${query}`, { signal }).catch((cause: unknown) => {
        if (signal.aborted) throw cause;
        throw problemOf(0, { detail: 'The hub did not answer. Check this computer’s network.' });
      });
      if (!answer.ok) throw problemOf(answer.status, await answer.json().catch(() => undefined));
      const messages = new Reader().feed(await answer.text());
      return messages.map((m) => JSON.parse(m.data) as Event).reverse();
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** How many names of devices are read. */
export const namesMost = 1000;

/** namesQuery gives the names of devices by id, as far as one page of them goes. Names hardly change. */
export const namesQuery = queryOptions({
  queryKey: ['names'],
  queryFn: async ({ signal }) => {
    const { items } = await ok(api.GET('/api/v1/devices', { params: { query: { limit: namesMost } }, signal }));
    return new Map(items.map((d) => [d.id, d.name]));
  },
  staleTime: 300_000,
});
