import { Button, Group, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { asProblem } from '../api/problem';

/** undoable says what was done, with a way back. Where the way back fails, that is said too. */
export function undoable(message: string, undo: () => unknown): void {
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
          onClick={async () => {
            notifications.hide(id);
            try {
              await undo();
            } catch (e) {
              notifications.show({ color: 'red', title: 'Not undone', message: asProblem(e).message });
            }
          }}
        >
          Undo
        </Button>
      </Group>
    ),
  });
}
