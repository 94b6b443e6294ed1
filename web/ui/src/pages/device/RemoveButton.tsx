import { ActionIcon, Tooltip } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { type ComponentProps, useState } from 'react';
import { useMay } from '../../app/useMay';
import { objectWords, RemoveObject } from './RemoveObject';
import { useActing } from './useActing';

interface Props extends Omit<ComponentProps<typeof RemoveObject>, 'opened' | 'close'> {
  /** Why this one cannot be removed from here. */
  cannot?: string;
}

/** RemoveButton removes an object from a device, after asking; whoever may not remove there does not see it. */
export function RemoveButton({ cannot, ...object }: Props) {
  const why = useActing(object.device) ?? cannot;
  const [asked, ask] = useState(false);
  if (!useMay('commands.remove')) return null;
  return (
    <>
      <Tooltip label={why ?? 'Remove'}>
        <ActionIcon
          variant="subtle"
          color="red"
          size={36}
          aria-label={`Remove ${objectWords[object.kind]} ${object.name}`}
          data-disabled={why ? true : undefined}
          aria-disabled={!!why}
          onClick={() => !why && ask(true)}
        >
          <IconTrash size={17} />
        </ActionIcon>
      </Tooltip>
      {asked && <RemoveObject {...object} opened={asked} close={() => ask(false)} />}
    </>
  );
}
