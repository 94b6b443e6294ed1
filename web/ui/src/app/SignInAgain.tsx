import { Modal, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { sessionQuery } from '../api/queries';
import { SignInForm } from '../pages/session/SignInForm';

/**
 * SignInAgain covers the page when the session is lost, so that what is open and typed stays as it is for who comes back,
 * and is not read by who comes by.
 */
export function SignInAgain() {
  const { cache, live, lost } = useRouteContext({ from: '__root__' });
  const is = useSyncExternalStore(lost.subscribe, () => lost.is);
  const { data: session } = useQuery({ ...sessionQuery, enabled: false });
  const done = async () => {
    const was = session?.name;
    const now = await cache.fetchQuery({ ...sessionQuery, staleTime: 0 });
    // What another account has open and typed is not for this one.
    if (was !== now.name) return window.location.reload();
    lost.set(false);
    live.start();
    void cache.invalidateQueries();
  };
  return (
    <Modal
      opened={is}
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title="Sign in again"
      centered
      overlayProps={{ backgroundOpacity: 1, color: 'var(--mantine-color-body)' }}
    >
      <Text size="sm" mb="sm">
        The hub does not know this session any more: it ran out, or was ended elsewhere. The page behind stays as you
        left it.
      </Text>
      <SignInForm name={session?.name} done={done} />
    </Modal>
  );
}
