import { Anchor } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { deviceQuery } from '../../api/queries';
import type { Detail } from './queries';
import { tell } from './useGive';

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
    const id = `undo-${device.id}-${next.etag}`;
    notifications.show({
      id,
      autoClose: 10_000,
      message: (
        <>
          {done}{' '}
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => {
              notifications.hide(id);
              send(undo, next.etag).then(() => notifications.show({ message: 'Taken back.' }), tell);
            }}
          >
            Undo
          </Anchor>
        </>
      ),
    });
    return next;
  };
}
