import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { deviceQuery } from '../../api/queries';
import { undoable } from '../../kit/undoable';
import type { Detail } from './queries';

type Patch = Schemas['DevicePatch'];

interface Change {
  patch: Patch;
  /** What takes it back. */
  undo: Patch;
  /** What was done, for the notification. */
  done: string;
}

/** usePatch changes the device as of an etag, and offers to take the change back. */
export function usePatch(device: Detail) {
  const cache = useQueryClient();
  const send = async (patch: Patch, etag: string) => {
    const next = await ok(
      api.PATCH('/api/v1/devices/{device}', {
        params: { path: { device: device.id }, header: { 'If-Match': `"${etag}"` } },
        body: patch,
      }),
    );
    cache.setQueryData(deviceQuery(device.id).queryKey, next);
    void cache.invalidateQueries({ queryKey: ['devices'] });
    void cache.invalidateQueries({ queryKey: ['groups'] });
    void cache.invalidateQueries({ queryKey: ['device', device.id] });
    return next;
  };
  return async ({ patch, undo, done }: Change, etag: string) => {
    const next = await send(patch, etag);
    undoable(done, async () => {
      await send(undo, next.etag);
      notifications.show({ message: 'Taken back.' });
    });
    return next;
  };
}
