import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { keysQuery } from '../../api/queries';
import type { Waiter } from './decide';

/** useEnrolment gives the edge key by which a device knocked, where it is still there and may be seen. */
export function useEnrolment(): (device: Waiter) => Schemas['Key'] | undefined {
  const { data } = useQuery(keysQuery);
  return (w) => data?.items.find((k) => k.id === w.key);
}
