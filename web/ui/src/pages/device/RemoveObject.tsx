import { Checkbox, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import type { Detail } from './queries';
import { useGive } from './useGive';
import { whenCollected } from './words';

interface Props {
  device: Detail;
  kind: 'container.remove' | 'image.remove' | 'volume.remove';
  name: string;
  target: string;
  /** Why it is refused unless it is forced; undefined: it is not in use. */
  inUse: string | undefined;
  /** What is lost. */
  children: ReactNode;
  opened: boolean;
  close: () => void;
}

/** objectWords says what each kind removes. */
export const objectWords = {
  'container.remove': 'container',
  'image.remove': 'image',
  'volume.remove': 'volume',
} as const;

/** RemoveObject asks for the name of what is to be removed from the device. */
export function RemoveObject({ device, kind, name, target, inUse, children, opened, close }: Props) {
  const give = useGive(device);
  const [force, setForce] = useState(false);
  return (
    <ConfirmNamed
      opened={opened}
      close={close}
      title={`Remove the ${objectWords[kind]}?`}
      name={name.slice(0, 200)}
      action="Remove"
      run={() => give({ kind, target, ...(force && inUse && { force: true }) })}
    >
      {children}
      <Text size="sm" mt="xs">
        {whenCollected(device)}
      </Text>
      {inUse && (
        <Checkbox
          mt="sm"
          checked={force}
          onChange={(e) => setForce(e.currentTarget.checked)}
          label={`${inUse} Remove it all the same`}
          description="Otherwise the device refuses."
        />
      )}
    </ConfirmNamed>
  );
}
