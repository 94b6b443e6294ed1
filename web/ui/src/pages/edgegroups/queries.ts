import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';

export type EdgeGroup = Schemas['EdgeGroup'];
export type Member = Schemas['EdgeGroupDevice'];

export const edgeGroupsQuery = queryOptions({
  queryKey: ['edge-groups'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/edge-groups', { signal })),
});

/** An edge group with the devices that it lists, and those that are in it. */
export const edgeGroupQuery = (edgegroup: string) =>
  queryOptions({
    queryKey: ['edge-group', edgegroup],
    queryFn: async ({ signal }) => {
      const params = { path: { edgegroup } };
      const [group, devices] = await Promise.all([
        ok(api.GET('/api/v1/edge-groups/{edgegroup}', { params, signal })),
        ok(api.GET('/api/v1/edge-groups/{edgegroup}/devices', { params, signal })),
      ]);
      return { group, devices: devices.items };
    },
  });

export const edgeGroupPreview = (body: Schemas['PreviewEdgeGroup']) =>
  queryOptions({
    queryKey: ['edge-group', '', body],
    queryFn: ({ signal }) => ok(api.POST('/api/v1/edge-groups/preview', { body, signal })),
    placeholderData: keepPreviousData,
    retry: false,
  });
