import { Button, Group, Modal, Text } from '@mantine/core';
import { useBlocker } from '@tanstack/react-router';
import type { DraftStore } from './useDraft';

/** Leaving asks before a page with a draft is left. The address of the same page may change. */
export function Leaving({ store }: { store: DraftStore }) {
  const dirty = () => (store.get()?.rev ?? 0) > 0;
  const { proceed, reset, status } = useBlocker({
    shouldBlockFn: ({ current, next }) => next.pathname !== current.pathname && next.fullPath !== '/sign-in' && dirty(),
    enableBeforeUnload: dirty,
    withResolver: true,
  });
  return (
    <Modal opened={status === 'blocked'} onClose={() => reset?.()} title="Leave what is not deployed?" centered>
      <Text size="sm" mb="md">
        Your changes are kept in this tab until it is closed or loaded anew: the editor has them when you come back.
      </Text>
      <Group justify="flex-end" gap="xs">
        <Button
          variant="subtle"
          color="red"
          onClick={() => {
            proceed?.();
            store.drop();
          }}
        >
          Drop them and leave
        </Button>
        <Button variant="default" onClick={() => proceed?.()}>
          Leave
        </Button>
        <Button onClick={() => reset?.()} data-autofocus>
          Stay
        </Button>
      </Group>
    </Modal>
  );
}
