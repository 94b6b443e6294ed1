import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, ok, type Schemas } from '../../../api/client';
import { asProblem } from '../../../api/problem';
import { stackQuery, stacksQuery } from '../../../api/queries';
import { count } from '../../../kit/bytes';
import { applyOf, type Draft } from './draft';
import type { DraftStore } from './useDraft';

/** How a rollout is made, and when it begins. */
export type How = Pick<Schemas['Apply'], 'during' | 'begin'>;

/** useDeploy applies a draft over what it was made from, and goes to the stack's page. */
export function useDeploy(store: DraftStore) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ({ draft, how }: { draft: Draft; how: How }) =>
      ok(
        api.PUT('/api/v1/stacks/{stack}', {
          params: {
            path: { stack: draft.name },
            header: draft.base ? { 'If-Match': `"${draft.base.etag}"` } : { 'If-None-Match': '*' },
          },
          body: { ...applyOf(draft), ...how },
        }),
      ),
    onSuccess: async (stack) => {
      store.drop();
      cache.setQueryData(stackQuery(stack.name).queryKey, stack);
      void cache.invalidateQueries({ queryKey: stacksQuery.queryKey });
      await navigate({ to: '/stacks/$stack', params: { stack: stack.name }, ignoreBlocker: true });
      notifications.show({
        color: 'green',
        message: stack.next_rollout
          ? `Version ${stack.version} of ${stack.name} waits for the rollout that is under way.`
          : `Version ${stack.version} of ${stack.name} goes to ${count(stack.devices, 'device')}.`,
      });
    },
    onError: (error, { draft }) => {
      // The page shows what is there now beside what was typed.
      if (asProblem(error).status === 412) void cache.invalidateQueries({ queryKey: stackQuery(draft.name).queryKey });
    },
  });
}
