import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { Live } from '../api/live';
import { asProblem } from '../api/problem';
import { sessionQuery } from '../api/queries';

/** What every page can reach: the cache of what was read, and the stream of events that keeps it fresh. */
export interface Context {
  cache: QueryClient;
  live: Live;
}

/** newContext makes them. signedOut is called when the hub no longer knows who asks. */
export function newContext(signedOut: () => void): Context {
  const lost = (error: unknown) => {
    if (asProblem(error).status === 401) signedOut();
  };
  const cache: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (query.queryKey[0] !== sessionQuery.queryKey[0]) lost(error);
      },
    }),
    mutationCache: new MutationCache({ onError: lost }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // What the hub refused stays refused; what did not arrive is tried again.
        retry: (n, error) => n < 2 && [0, 502, 503, 504].includes(asProblem(error).status),
      },
    },
  });
  return { cache, live: new Live(cache) };
}
