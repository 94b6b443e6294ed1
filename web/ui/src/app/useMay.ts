import { useQuery } from '@tanstack/react-query';
import { sessionQuery } from '../api/queries';

/**
 * useMay tells whether the signed-in may do an operation, such as keys.create, on anything at all. What they cannot do
 * anywhere is not shown; whether they may do it on one thing the hub says when it is asked.
 */
export function useMay(operation: string): boolean {
  return useOperations().includes(operation);
}

/** useOperations gives all operations that the signed-in may do on anything; see useMay. */
export function useOperations(): readonly string[] {
  const { data } = useQuery(sessionQuery);
  return data?.operations ?? [];
}
