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
