import { type ErrorComponentProps, useRouteContext } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useLive } from '../api/live';
import { Problem } from '../api/problem';
import { Failure } from '../kit/Failure';

// What browsers and the bundler say of a part of the console that could not be had.
const missing = /preload|dynamically imported module|importing a module script|module script failed/i;

/** part waits for a part of the console. Its own error keeps the router from loading the console anew, which may be away. */
export async function part<T>(loaded: Promise<T>): Promise<T> {
  try {
    return await loaded;
  } catch (cause) {
    throw new Error('A part of the console could not be had (module script failed)', { cause });
  }
}

/** PageFailure stands where a page failed. */
export function PageFailure({ error, reset }: ErrorComponentProps) {
  if (error instanceof Error && missing.test(error.message)) return <Missing />;
  return <Failure error={error} retry={reset} />;
}

/** Missing is shown when a page's own files could not be had: the hub is away, or has been updated since. */
function Missing() {
  const { live } = useRouteContext({ from: '__root__' });
  const state = useLive(live);
  const [away, setAway] = useState(false);
  useEffect(() => {
    if (state === 'lost') setAway(true);
    // Browsers do not ask twice for a part that failed.
    if (state === 'live' && away) window.location.reload();
  }, [away, state]);
  const told = new Problem(
    0,
    'This page could not be loaded',
    'The hub did not answer, or it was updated since this tab was opened. Load the console again.',
    '',
    [],
  );
  return <Failure error={told} retry={() => window.location.reload()} />;
}
