import { Button } from '@mantine/core';
import { type ErrorComponentProps, useRouteContext, useRouter } from '@tanstack/react-router';
import { useCallback, useEffect, useState } from 'react';
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
  if (error instanceof Error && missing.test(error.message)) return <Missing reset={reset} />;
  return <Failure error={error} retry={reset} />;
}

/**
 * Missing is shown when a page's own files could not be had: the hub is away, or was updated since. Once the hub is back
 * it asks for them again, and stays where a new build has others; then the console itself has to be loaded anew.
 */
function Missing({ reset }: { reset: () => void }) {
  const { live } = useRouteContext({ from: '__root__' });
  const router = useRouter();
  const state = useLive(live);
  const again = useCallback(async () => {
    await router.invalidate();
    reset();
  }, [router, reset]);
  const [away, setAway] = useState(false);
  useEffect(() => {
    if (state === 'lost') setAway(true);
    if (state === 'live' && away) void again();
  }, [away, state, again]);
  const told = new Problem(
    0,
    'This page could not be loaded',
    'The hub did not answer, or it was updated since this tab was opened. What is typed elsewhere in this tab is still there.',
    '',
    [],
  );
  return (
    <>
      <Failure error={told} retry={() => void again()} />
      <Button variant="default" size="xs" onClick={() => window.location.reload()}>
        Load the whole console again
      </Button>
    </>
  );
}
