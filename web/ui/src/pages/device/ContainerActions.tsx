import { ActionIcon, Button, Group, Menu, Modal, NativeSelect, Stack, Text } from '@mantine/core';
import {
  IconBolt,
  IconDotsVertical,
  IconFileText,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconTrash,
  type TablerIcon,
} from '@tabler/icons-react';
import { useState } from 'react';
import { useOperations } from '../../app/useMay';
import { Failure } from '../../kit/Failure';
import { targetOf } from './containers';
import { usePlace } from './place';
import type { Container, Detail } from './queries';
import { RemoveObject } from './RemoveObject';
import { useActing } from './useActing';
import { tell, useGive } from './useGive';
import { whenCollected } from './words';

interface Props {
  device: Detail;
  container: Container;
  /** A menu beside a row, or buttons where there is room. */
  as: 'menu' | 'buttons';
}

interface Action {
  /** The operation on commands that it takes. */
  needs: string;
  name: string;
  icon: TablerIcon;
  run: () => void;
  off?: boolean;
  color?: string;
}

const firstLines = 200;

/** ContainerActions are what can be asked of a container. */
export function ContainerActions({ device, container: c, as }: Props) {
  const give = useGive(device);
  const { go } = usePlace();
  const why = useActing(device);
  const may = useOperations();
  const [asking, ask] = useState<'kill' | 'remove'>();
  const target = targetOf(c);
  const run = (kind: string) => void give({ kind, target }).catch(tell);
  const logs = () =>
    void give({ kind: 'container.logs', target, tail: firstLines })
      .then((given) => go({ command: given.id, container: undefined }))
      .catch(tell);
  const runs = ['running', 'restarting', 'paused'].includes(c.state);
  const actions: Action[] = [
    { needs: 'look', name: 'Logs', icon: IconFileText, run: logs },
    { needs: 'give', name: 'Start', icon: IconPlayerPlay, run: () => run('container.start'), off: runs },
    { needs: 'give', name: 'Stop', icon: IconPlayerStop, run: () => run('container.stop'), off: !runs },
    { needs: 'give', name: 'Restart', icon: IconRefresh, run: () => run('container.restart') },
    { needs: 'give', name: 'Kill …', icon: IconBolt, run: () => ask('kill'), off: !runs },
    { needs: 'remove', name: 'Remove …', icon: IconTrash, run: () => ask('remove'), color: 'red' },
  ].filter((a) => may.includes(`commands.${a.needs}`));
  return (
    <>
      {as === 'menu' ? (
        <Menu position="bottom-end" width={230}>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size={36} aria-label={`Actions on ${c.name}`}>
              <IconDotsVertical size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>{why ?? whenCollected(device)}</Menu.Label>
            {actions.map((a) => (
              <Menu.Item
                key={a.name}
                leftSection={
                  <a.icon size={16} aria-hidden color={a.color && `var(--mantine-color-${a.color}-filled)`} />
                }
                disabled={!!why || a.off}
                onClick={a.run}
              >
                {a.name}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      ) : (
        <Stack gap={4}>
          <Group gap={6}>
            {actions.map((a) => (
              <Button
                key={a.name}
                size="xs"
                mih={36}
                variant={a.color ? 'light' : 'default'}
                color={a.color}
                leftSection={<a.icon size={15} aria-hidden />}
                disabled={!!why || a.off}
                onClick={a.run}
              >
                {a.name}
              </Button>
            ))}
          </Group>
          <Text size="xs" c="dimmed">
            {why ?? whenCollected(device)}
          </Text>
        </Stack>
      )}
      <Kill device={device} container={c} opened={asking === 'kill'} close={() => ask(undefined)} />
      <RemoveObject
        device={device}
        kind="container.remove"
        name={c.name}
        target={target}
        inUse={runs ? 'It is running.' : undefined}
        opened={asking === 'remove'}
        close={() => ask(undefined)}
      >
        What it wrote outside its volumes is lost. Volumes stay.
        {c.stack ? ' It belongs to a stack: the next deployment of the stack makes it again.' : ''}
      </RemoveObject>
    </>
  );
}

interface Asked {
  device: Detail;
  container: Container;
  opened: boolean;
  close: () => void;
}

const signals = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

function Kill({ device, container: c, opened, close }: Asked) {
  const give = useGive(device);
  const [signal, setSignal] = useState('SIGKILL');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const kill = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await give({ kind: 'container.kill', target: targetOf(c), signal });
      close();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={close} title="Send a signal to the container?" centered>
      <Stack gap="sm">
        <Text size="sm">
          <b className="fs-text">{c.name}</b> gets the signal without time to end what it does. Stop is gentler.
        </Text>
        <NativeSelect label="Signal" data={signals} value={signal} onChange={(e) => setSignal(e.currentTarget.value)} />
        <Failure error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button color="red" onClick={kill} loading={busy}>
            Kill
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
