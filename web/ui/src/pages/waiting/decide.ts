import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';

export type Waiter = Schemas['Waiting'];
export type Approval = Schemas['Approval'];
export type Outcome = Schemas['Outcome'];

// A name that is longer says nothing more.
const longest = 80;

/** nameOf is what a device calls itself, for people: a claim. */
export function nameOf(w: Waiter): string {
  const name = [...(w.facts.name || w.facts.hostname || w.id)];
  return name.length > longest ? `${name.slice(0, longest).join('')}…` : name.join('');
}

// What a decision changes besides the waiting room.
const concerned = ['waiting', 'devices', 'keys', 'groups'];

function useRefresh() {
  const cache = useQueryClient();
  return () => Promise.all(concerned.map((k) => cache.invalidateQueries({ queryKey: [k] })));
}

/** useApprove lets devices in. Of one device a failure is thrown; of several each has its outcome. */
export function useApprove() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async (approvals: Approval[]) =>
      (await ok(api.POST('/api/v1/waiting/approve', { body: { approvals } }))).items,
    onSuccess: refresh,
  });
}

/** useReject says no to devices, with block for good; with undo it takes that back. */
export function useReject() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async (body: Schemas['Reject']) => (await ok(api.POST('/api/v1/waiting/reject', { body }))).items,
    onSuccess: refresh,
  });
}
