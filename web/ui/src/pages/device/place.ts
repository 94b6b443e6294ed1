import { getRouteApi } from '@tanstack/react-router';
import { useCallback } from 'react';
import { dateOf } from '../../kit/time';

export const route = getRouteApi('/inside/devices/$device');

/** The tabs of the page; the first is shown where the address names none. */
export const tabs = [
  'overview',
  'containers',
  'images',
  'volumes',
  'networks',
  'stacks',
  'jobs',
  'commands',
  'data',
  'timeline',
  'settings',
] as const;

export type Tab = (typeof tabs)[number];

type Search = ReturnType<typeof route.useSearch>;

/** usePlace gives where one is on the page, which is all in the address, and how to go elsewhere on it. */
export function usePlace() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const go = useCallback(
    (change: Partial<Search>) => void navigate({ search: (s: Search) => ({ ...s, ...change }), resetScroll: false }),
    [navigate],
  );
  const asOf = dateOf(search.as_of) ? search.as_of : undefined;
  return { search, go, tab: tabs.find((t) => t === search.tab) ?? 'overview', asOf };
}
