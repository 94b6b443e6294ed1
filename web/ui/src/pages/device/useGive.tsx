import { Anchor, Group, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { usePlace } from './place';
import { type Command, commandsQuery, type Detail, type NewCommand } from './queries';
import { commandWords, whenCollected } from './words';

/** tell shows for a moment that something failed which has no place of its own to say so. */
export function tell(error: unknown) {
  const p = asProblem(error);
  notifications.show({ color: 'red', title: p.title, message: p.message, autoClose: 12_000 });
}

/** useWithdraw takes commands back that have not started. */
export function useWithdraw() {
  const cache = useQueryClient();
  return async (command: string) => {
    try {
      await ok(api.DELETE('/api/v1/commands/{command}', { params: { path: { command } } }));
    } catch (e) {
      tell(e);
    }
    await cache.invalidateQueries({ queryKey: ['commands'] });
  };
}

/** useGive asks something of the device. The promise fails where the hub refuses. */
export function useGive(device: Detail) {
  const cache = useQueryClient();
  const withdraw = useWithdraw();
  const { go } = usePlace();
  return async (body: NewCommand): Promise<Command> => {
    const given = await ok(
      api.POST('/api/v1/devices/{device}/commands', { params: { path: { device: device.id } }, body }),
    );
    // It is shown as under way even if its end comes before the list is read again.
    cache.setQueryData(commandsQuery(device.id).queryKey, (l) => l && { ...l, items: [given, ...l.items] });
    void cache.invalidateQueries({ queryKey: ['commands'] });
    if (given.kind !== 'container.logs') {
      const id = given.id;
      notifications.show({
        id,
        title: `${commandWords(given)}: queued`,
        autoClose: 8_000,
        message: (
          <>
            <Text size="sm">{whenCollected(device)}</Text>
            <Group gap="md" mt={4}>
              <Anchor component="button" type="button" size="sm" onClick={() => go({ command: id })}>
                See what becomes of it
              </Anchor>
              <Anchor
                component="button"
                type="button"
                size="sm"
                onClick={() => {
                  notifications.hide(id);
                  void withdraw(id);
                }}
              >
                Withdraw
              </Anchor>
            </Group>
          </>
        ),
      });
    }
    return given;
  };
}
