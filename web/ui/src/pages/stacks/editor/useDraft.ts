import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useState, useSyncExternalStore } from 'react';
import { sessionQuery } from '../../../api/queries';
import type { Draft } from './draft';

/** Change gives the next draft from the one there is. */
export type Change = (draft: Draft) => Draft;

/** DraftStore is a draft in the query cache, where it outlives the page and a session that is lost, but not the tab. */
export interface DraftStore {
  draft: Draft | undefined;
  /** get gives the draft as it is at this moment. */
  get: () => Draft | undefined;
  /** begin replaces it, and drop forgets it. */
  begin: (draft: Draft) => void;
  drop: () => void;
  /** edit changes it by what somebody did. */
  edit: (change: Change) => void;
}

/** useDraft gives the draft of a stack, which belongs to who is signed in; '' for a new one. */
export function useDraft(stack: string): DraftStore {
  const cache = useQueryClient();
  const [who] = useState(() => cache.getQueryData(sessionQuery.queryKey)?.name ?? '');
  const key = useMemo(() => ['draft', who, stack] as const, [who, stack]);
  const get = useCallback(() => cache.getQueryData<Draft>(key), [cache, key]);
  // A query tells of its data a moment later; a field must have what was typed at once, or its cursor jumps to the end.
  const subscribe = useCallback((tell: () => void) => cache.getQueryCache().subscribe(tell), [cache]);
  const draft = useSyncExternalStore(subscribe, get);
  const begin = useCallback(
    (d: Draft) => {
      cache.setQueryDefaults(['draft'], { gcTime: Number.POSITIVE_INFINITY, structuralSharing: false });
      cache.setQueryData(key, d);
    },
    [cache, key],
  );
  const drop = useCallback(() => cache.removeQueries({ queryKey: key, exact: true }), [cache, key]);
  const edit = useCallback(
    (change: Change) => {
      const now = get();
      if (!now) return;
      const next = change(now);
      if (next !== now) begin({ ...next, rev: now.rev + 1 });
    },
    [get, begin],
  );
  return { draft, get, begin, drop, edit };
}
