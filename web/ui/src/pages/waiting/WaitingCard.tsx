import { Button, Group, Menu, Paper, Stack, Title } from '@mantine/core';
import { IconBan, IconDotsVertical } from '@tabler/icons-react';
import { memo } from 'react';
import type { Schemas } from '../../api/client';
import { State } from '../../kit/State';
import type { Waiter } from './decide';
import { Claims, Doubts, Known, NewMark } from './Known';

interface Props {
  device: Waiter;
  enrolment: Schemas['Key'] | undefined;
  approve: (w: Waiter) => void;
  reject: (w: Waiter) => void;
  block: (w: Waiter) => void;
  again: (w: Waiter) => void;
}

/** WaitingCard is one device that waits, to be read and decided on in a gloved hand. */
export const WaitingCard = memo(function WaitingCard({ device: w, enrolment, approve, reject, block, again }: Props) {
  return (
    <Paper withBorder p="sm" component="article" aria-label={`Device ${w.pairing_code}`}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <Title order={2} className="fs-pairing-code" fz={38}>
            {w.pairing_code}
          </Title>
          {w.state === 'waiting' ? <NewMark device={w} /> : <State kind="waiting" state={w.state} />}
        </Group>
        <Doubts device={w} />
        <Claims device={w} />
        <Known device={w} enrolment={enrolment} />
        <Group gap="xs" wrap="nowrap">
          <Button size="lg" flex={1} onClick={() => approve(w)}>
            Approve
          </Button>
          {w.state === 'waiting' ? (
            <Button size="lg" flex={1} variant="default" onClick={() => reject(w)}>
              Reject
            </Button>
          ) : (
            <Button size="lg" flex={1} variant="default" onClick={() => again(w)}>
              Let it wait
            </Button>
          )}
          {w.state !== 'blocked' && (
            <Menu position="bottom-end">
              <Menu.Target>
                <Button size="lg" px="xs" variant="subtle" color="gray" aria-label="More for this device">
                  <IconDotsVertical aria-hidden />
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconBan size={18} />} py="sm" onClick={() => block(w)}>
                  Block: do not show its knocks again
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      </Stack>
    </Paper>
  );
});
