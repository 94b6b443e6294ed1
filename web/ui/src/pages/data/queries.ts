import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok } from '../../api/client';
import type { dataSearch } from '../../app/search';

export type DataSearch = ReturnType<typeof dataSearch>;

/** The times that can be looked at: how far back, and in which steps. Hours are kept for two days. */
export const spans = {
  '24h': { words: '24 h', hours: 24, step: 'hour' },
  '48h': { words: '48 h', hours: 48, step: 'hour' },
  '7d': { words: '7 days', hours: 7 * 24, step: 'day' },
  '30d': { words: '30 days', hours: 30 * 24, step: 'day' },
  '90d': { words: '90 days', hours: 90 * 24, step: 'day' },
  '400d': { words: '400 days', hours: 400 * 24, step: 'day' },
} as const;

export type Since = keyof typeof spans;

/** seconds that a step lasts. */
export const stepSeconds = { hour: 3600, day: 86_400 } as const;

/** rangeOf gives the time that is looked at: whole steps, the one under way included. */
export function rangeOf(since: Since, now: number) {
  const { hours, step } = spans[since];
  const long = stepSeconds[step] * 1000;
  return { step, from: (Math.floor(now / long) + 1) * long - hours * 3_600_000, to: now, seconds: stepSeconds[step] };
}

// What devices spent comes with other traffic, without events.
const look = 30_000;

type Which = Pick<DataSearch, 'group' | 'selector'>;

/** whichOf gives what the API takes, with nothing in it that is not set. */
const whichOf = ({ group, selector }: Which) => ({ ...(group && { group }), ...(selector && { selector }) });

/** fromOf gives when the time begins that is looked at, RFC 3339. */
export const fromOf = (since: Since) => new Date(rangeOf(since, Date.now()).from).toISOString();

export const usageQuery = (search: Which, since: Since) =>
  queryOptions({
    queryKey: ['usage', 'fleet', search.group, search.selector, since],
    queryFn: ({ signal }) =>
      ok(
        api.GET('/api/v1/usage', {
          params: { query: { ...whichOf(search), step: spans[since].step, from: fromOf(since) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: look,
  });

export const usageDevicesQuery = (search: Pick<DataSearch, 'group' | 'selector' | 'sort' | 'stage' | 'over'>) =>
  infiniteQueryOptions({
    queryKey: ['usage', 'devices', search.group, search.selector, search.sort, search.stage, search.over],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET('/api/v1/usage/devices', {
          params: {
            query: {
              ...whichOf(search),
              sort: search.sort ?? 'share',
              ...(search.stage && { stage: search.stage }),
              ...(search.over && { over: true }),
              limit: 50,
              ...(pageParam && { after: pageParam }),
            },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: (q) => (q.state.data && q.state.data.pages.length > 1 ? false : look),
  });
