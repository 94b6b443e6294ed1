import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { type DeviceFilter, devicesQuery } from '../../api/queries';
import type { Filter, Sort } from './filter';

/** How many rows are asked for at once. */
export const pageSize = 100;

/** pageQuery asks for one page of the list. What it was is shown again at once when one scrolls back. */
export const pageQuery = (filter: Filter, sort: Sort, page: number) => {
  const query: DeviceFilter = { ...filter, sort, limit: pageSize, ...(page > 0 && { offset: page * pageSize }) };
  return queryOptions({ ...devicesQuery(query), placeholderData: undefined });
};

// Of all devices at once, which is too much to read anew with every event of a busy fleet: each 5 s instead.
export const positionsQuery = (filter: Filter) =>
  queryOptions({
    queryKey: ['positions', filter],
    refetchInterval: 5_000,
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices/positions', { params: { query: filter }, signal })),
    placeholderData: keepPreviousData,
  });

export const viewsQuery = queryOptions({
  queryKey: ['views'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/session/views', { signal })),
});

export type Device = Schemas['Device'];
export type View = Schemas['View'];
export type Bulk = Schemas['Bulk'];
export type BulkDo = Schemas['BulkDo'];
export type BulkResult = Schemas['BulkResult'];
