import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok } from '../../api/client';
import { filesOf } from './editor/files';

export const stackDevicesQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'devices'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks/{stack}/devices', { params: { path: { stack } }, signal })),
    placeholderData: keepPreviousData,
  });

export const versionsQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'versions'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks/{stack}/versions', { params: { path: { stack } }, signal })),
  });

export const rolloutsQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'rollouts'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks/{stack}/rollouts', { params: { path: { stack } }, signal })),
  });

/** The devices in one batch of a rollout. */
export const batchQuery = (stack: string, rollout: number, batch: number) =>
  queryOptions({
    queryKey: ['stack', stack, 'rollouts', rollout, 'devices', batch],
    queryFn: ({ signal }) => {
      const params = { path: { stack, rollout }, query: { batch, limit: 5000 } };
      return ok(api.GET('/api/v1/stacks/{stack}/rollouts/{rollout}/devices', { params, signal }));
    },
    placeholderData: keepPreviousData,
  });

export const stackGroupsQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'groups'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/stacks/{stack}/groups', { params: { path: { stack } }, signal })),
  });

/** What differs between two versions beside their files. */
export const diffQuery = ({ name, id }: { name: string; id: number }, version: number, other: number) =>
  queryOptions({
    queryKey: ['bundle', id, version, 'diff', other],
    queryFn: ({ signal }) => {
      const params = { path: { stack: name, version, other } };
      return ok(api.GET('/api/v1/stacks/{stack}/versions/{version}/diff/{other}', { params, signal }));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What one device is given of a stack. */
export const deviceBundleQuery = (stack: string, device: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'bundle', device],
    queryFn: async ({ signal }) => {
      const path = { stack, device };
      const bundle = await ok(api.GET('/api/v1/stacks/{stack}/devices/{device}/bundle', { params: { path }, signal }));
      return { ...bundle, files: filesOf(bundle.files) };
    },
    structuralSharing: false,
  });

/** The files of a version, and whether values in them are hidden. They never change, but another stack may take the name of one that is gone: hence its id. */
export const bundleQuery = ({ name, id }: { name: string; id: number }, version: number) =>
  queryOptions({
    queryKey: ['bundle', id, version],
    queryFn: async ({ signal }) => {
      const path = { stack: name, version };
      const { files, masked } = await ok(
        api.GET('/api/v1/stacks/{stack}/versions/{version}/files', { params: { path }, signal }),
      );
      return { files: filesOf(files), masked: masked ?? false };
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    structuralSharing: false,
  });

/** The schema by which the hub checks Compose files. */
export const composeSchemaQuery = queryOptions({
  queryKey: ['schemas', 'compose'],
  queryFn: async ({ signal }) => {
    const text = await ok(api.GET('/api/v1/schemas/compose', { parseAs: 'text', signal }));
    return JSON.parse(text) as Record<string, unknown>;
  },
  staleTime: Number.POSITIVE_INFINITY,
});
