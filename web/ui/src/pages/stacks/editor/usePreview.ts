import { useQuery } from '@tanstack/react-query';
import { api, ok } from '../../../api/client';
import { applyOf, type Draft } from './draft';

/** usePreview asks the hub what a draft would change, and whether it takes it at all. */
export function usePreview(draft: Draft, enabled: boolean) {
  return useQuery({
    // Not among what events make stale: the files would be sent again each time.
    queryKey: ['preview', draft.id, draft.rev],
    queryFn: ({ signal }) =>
      ok(
        api.POST('/api/v1/stacks/{stack}/preview', {
          params: { path: { stack: draft.name } },
          body: applyOf(draft),
          signal,
        }),
      ),
    enabled,
    staleTime: 30_000,
    gcTime: 60_000,
    retry: false,
  });
}

/** useEstimate asks the hub what a draft would cost its devices, which may ask registries. */
export function useEstimate(draft: Draft) {
  return useQuery({
    queryKey: ['estimate', draft.id, draft.rev],
    queryFn: ({ signal }) =>
      ok(
        api.POST('/api/v1/stacks/{stack}/estimate', {
          params: { path: { stack: draft.name } },
          body: applyOf(draft),
          signal,
        }),
      ),
    staleTime: 60_000,
    gcTime: 60_000,
    retry: false,
  });
}

/** Place is where in a stack's files the hub found something wrong. */
export interface Place {
  path: string;
  line: number;
}

/** placeOf reads from the hub's sentence where something is wrong. */
export function placeOf(sentence: string, paths: Iterable<string>): Place | undefined {
  for (const path of paths) {
    const at = sentence.indexOf(`${path}, line `);
    if (at < 0) continue;
    const line = Number.parseInt(sentence.slice(at + path.length + 7), 10);
    if (line > 0) return { path, line };
  }
  return undefined;
}
