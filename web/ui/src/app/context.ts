import { QueryClient } from '@tanstack/react-query';
import { onSignedOut } from '../api/client';
import { Live } from '../api/live';
import { asProblem } from '../api/problem';

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
  onSignedOut(() => lost.set(true));
  const cache = new QueryClient({
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
