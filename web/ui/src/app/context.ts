import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { Live } from '../api/live';
import { asProblem } from '../api/problem';
import { sessionQuery } from '../api/queries';

/** Lost tells whether the hub has forgotten who is signed in, while pages are open. */
export class Lost {
  is = false;
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(is: boolean): void {
    if (is === this.is) return;
    this.is = is;
    for (const l of this.listeners) l();
  }
}

/** What every page can reach: the cache of what was read, the stream of events that keeps it fresh, and whether the
 * session is lost. */
export interface Context {
  cache: QueryClient;
  live: Live;
  lost: Lost;
}

/** newContext makes them. */
export function newContext(): Context {
  const lost = new Lost();
  const look = (error: unknown) => {
    if (asProblem(error).status === 401) lost.set(true);
  };
  const cache: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        // Whether somebody is signed in at all is what the router asks: see router.tsx.
        if (query.queryKey[0] !== sessionQuery.queryKey[0]) look(error);
      },
    }),
    mutationCache: new MutationCache({
      // Signing in is refused with the same status.
      onError: (error, _variables, _result, mutation) => mutation.options.mutationKey?.[0] !== 'sign-in' && look(error),
    }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // What the hub refused stays refused; what did not arrive is tried again.
        retry: (n, error) => n < 2 && [0, 502, 503, 504].includes(asProblem(error).status),
      },
    },
  });
  return { cache, live: new Live(cache, () => lost.set(true)), lost };
}
