import { queryOptions } from '@tanstack/react-query';
import { api, ok } from '../../api/client';

export const updatesQuery = queryOptions({
  queryKey: ['updates'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/updates', { signal })),
  refetchInterval: 5_000,
});

export const updateQuery = (update: string) =>
  queryOptions({
    queryKey: ['update', update],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/updates/{update}', { params: { path: { update } }, signal })),
    refetchInterval: 3_000,
  });

export const updateDevicesQuery = (update: string) =>
  queryOptions({
    queryKey: ['update', update, 'devices'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/updates/{update}/devices', { params: { path: { update } }, signal })),
    refetchInterval: 3_000,
  });

export const releasesQuery = queryOptions({
  queryKey: ['releases'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/releases', { signal })),
});
