import { Button, Group, Modal, Text } from '@mantine/core';
import { useBlocker, useMatch } from '@tanstack/react-router';
import type { ReactNode } from 'react';

interface Props {
  /** Whether something is typed that is not saved, at the moment when it is asked. */
  dirty: () => boolean;
  /** Whether the page still shows what is typed with this behind the question mark of its address. */
  stays?: (search: Record<string, unknown>) => boolean;
  title?: string;
  /** What becomes of what was typed. */
  children?: ReactNode;
  /** Gives up what would be kept. */
  drop?: () => void;
}

/** Leaving asks before a place is left at which something is typed and not saved. */
export function Leaving({
  dirty,
  stays = () => true,
  title = 'Leave without saving?',
  children = 'What you typed here is not saved.',
  drop,
}: Props) {
  const page = useMatch({ strict: false, select: (m) => m.pathname });
  const here = (to: { pathname: string; search: object }) =>
    to.pathname === page && stays(to.search as Record<string, unknown>);
  const { proceed, reset, status } = useBlocker({
    // While the next page is loaded, this one is still shown, but left: it is not asked for again.
    shouldBlockFn: ({ current, next }) => here(current) && !here(next) && next.pathname !== '/sign-in' && dirty(),
    enableBeforeUnload: dirty,
    withResolver: true,
  });
  return (
    <Modal opened={status === 'blocked'} onClose={() => reset?.()} title={title} centered>
      <Text size="sm">{children}</Text>
      <Group justify="flex-end" gap="xs" mt="md">
        {drop && (
          <Button
            variant="subtle"
            color="red"
            onClick={() => {
              proceed?.();
              drop();
            }}
          >
            Drop them and leave
          </Button>
        )}
        <Button variant={drop ? 'default' : 'light'} color={drop ? undefined : 'red'} onClick={() => proceed?.()}>
          Leave
        </Button>
        <Button onClick={() => reset?.()} data-autofocus>
          Stay
        </Button>
      </Group>
    </Modal>
  );
}
