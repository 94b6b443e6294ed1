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

export const positionsQuery = (filter: Filter) =>
  queryOptions({
    queryKey: ['devices', 'positions', filter],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices/positions', { params: { query: filter }, signal })),
    placeholderData: keepPreviousData,
  });

/** How many devices are in each state, whatever page is shown. */
export const tallyQuery = (filter: Filter) => queryOptions(devicesQuery({ ...filter, limit: 1 }));

export const viewsQuery = queryOptions({
  queryKey: ['views'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/session/views', { signal })),
});

export type Device = Schemas['Device'];
export type View = Schemas['View'];
export type Bulk = Schemas['Bulk'];
export type BulkDo = Schemas['BulkDo'];
export type BulkResult = Schemas['BulkResult'];
