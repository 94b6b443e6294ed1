import { Button, Group, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';

/** undoable says what was done, with a way back. */
export function undoable(message: string, undo: () => void): void {
  const id = crypto.randomUUID();
  notifications.show({
    id,
    autoClose: 12_000,
    message: (
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" className="fs-text">
          {message}
        </Text>
        <Button
          size="xs"
          variant="default"
          flex="none"
          onClick={() => {
            undo();
            notifications.hide(id);
          }}
        >
          Undo
        </Button>
      </Group>
    ),
  });
}
