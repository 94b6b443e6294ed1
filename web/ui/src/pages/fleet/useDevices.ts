import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { Filter, Sort } from './filter';
import { type Device, pageQuery, pageSize } from './queries';

/** The devices that fit, of which only the pages in view are asked for. */
export interface Devices {
  total: number;
  states: Record<string, number>;
  /** The device in a row; undefined: not here yet. */
  at: (row: number) => Device | undefined;
  /** inView says which rows are seen. */
  inView: (first: number, last: number) => void;
  /** total and states are the answer to what is asked now, not to what was asked before. */
  known: boolean;
  /** Nothing has been answered yet. */
  pending: boolean;
  /** What is shown is what fitted before the filter changed. */
  before: boolean;
  error: unknown;
  retry: () => void;
}

// Pages that fly by while one drags the scroll bar are not asked for.
const settle = 60;
// Contacts that only say that a device is still there are no events: what is in view is read anew.
const look = 20_000;
// Rows that are asked for before they are seen.
const ahead = 40;

export function useDevices(filter: Filter, sort: Sort): Devices {
  const cache = useQueryClient();
  const [inView, view] = usePagesInView();
  // The first page is always followed: it has the numbers for all.
  const first = useQuery({ ...pageQuery(filter, sort, 0), refetchInterval: inView.includes(0) && look });
  const last = useRef(first.data);
  if (first.data) last.current = first.data;
  const head = first.data ?? last.current;
  const total = head?.total ?? 0;
  const wanted = first.data ? inView.filter((p) => p > 0 && p * pageSize < total) : [];
  const pages = useQueries({
    queries: wanted.map((page) => ({ ...pageQuery(filter, sort, page), refetchInterval: look })),
  });
  const failed = first.error ? first : pages.find((p) => p.error);
  return {
    total,
    states: head?.states ?? {},
    at: (row) => {
      const page = Math.floor(row / pageSize);
      if (page === 0) return head?.items[row];
      const seen = pages[wanted.indexOf(page)]?.data ?? cache.getQueryData(pageQuery(filter, sort, page).queryKey);
      return seen?.items[row - page * pageSize];
    },
    inView: view,
    known: first.data !== undefined,
    pending: !head && !first.error,
    before: !first.data && head !== undefined,
    error: failed?.error,
    retry: () => void failed?.refetch(),
  };
}

function usePagesInView() {
  const [pages, setPages] = useState<readonly number[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const asked = useRef('');
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      asked.current = '';
    },
    [],
  );
  const view = useRef((first: number, last: number) => {
    const from = Math.floor(Math.max(0, first - ahead) / pageSize);
    const to = Math.floor((last + ahead) / pageSize);
    const next = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    if (next.join() === asked.current) return;
    asked.current = next.join();
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setPages(next), settle);
  });
  return [pages, view.current] as const;
}
