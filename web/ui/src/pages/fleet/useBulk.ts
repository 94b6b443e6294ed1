import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ok } from '../../api/client';
import type { Filter } from './filter';
import type { Bulk, BulkDo } from './queries';
import type { Selection } from './selection';

/** bulkOf names the selected devices for the API; where all are meant, it says how many one saw. */
export function bulkOf(selection: Selection, filter: Filter, total: number): Pick<Bulk, 'ids' | 'filter' | 'expect'> {
  if (selection.all) return { filter, expect: total };
  return { ids: [...selection.ids] };
}

/** useBulk does one thing to all selected devices. */
export function useBulk(selection: Selection, filter: Filter, total: number) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (what: BulkDo) =>
      ok(api.POST('/api/v1/devices/bulk', { body: { ...bulkOf(selection, filter, total), do: what } })),
    onSettled: () => {
      for (const key of ['devices', 'device', 'groups', 'commands']) void cache.invalidateQueries({ queryKey: [key] });
    },
  });
}
