import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok } from './client';
import { problemOf } from './problem';
import type { paths } from './schema';

// What pages read, by the keys that live.ts makes stale. A key begins with the resource's name; one thing of a kind has
// the singular and its id: ['device', id, …], ['stack', name, …].

/** Who is signed in; a Problem of status 401 where nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    const { session } = await ok(api.GET('/api/v1/session/current', { signal }));
    if (!session) throw problemOf(401, { title: 'Signed out', detail: 'Nobody is signed in: sign in first.' });
    return session;
  },
  staleTime: Number.POSITIVE_INFINITY,
  retry: false,
});

/** What a list of devices can be asked for. */
export type DeviceFilter = NonNullable<paths['/api/v1/devices']['get']['parameters']['query']>;

export const devicesQuery = (query: DeviceFilter) =>
  queryOptions({
    queryKey: ['devices', query],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const deviceQuery = (device: string) =>
  queryOptions({
    queryKey: ['device', device],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices/{device}', { params: { path: { device } }, signal })),
  });

export const waitingQuery = (state: 'waiting' | 'rejected' | 'blocked' | 'all' = 'waiting') =>
  queryOptions({
    queryKey: ['waiting', state],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/waiting', { params: { query: { state } }, signal })),
  });

export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/keys', { signal })),
});

export const groupsQuery = queryOptions({
  queryKey: ['groups'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/groups', { signal })),
});

export const profilesQuery = queryOptions({
  queryKey: ['profiles'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/profiles', { signal })),
});

export const stacksQuery = queryOptions({
  queryKey: ['stacks'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks', { signal })),
});

export const stackQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks/{stack}', { params: { path: { stack } }, signal })),
  });
