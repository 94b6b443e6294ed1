import { Alert, Badge, Button, Group, Text, Title, Tooltip } from '@mantine/core';
import { IconBan, IconCamera, IconShieldCheck, IconShieldQuestion } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useMay } from '../../app/useMay';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { dateOf, span } from '../../kit/time';
import { contactQuery, type Detail, type Observed } from './queries';
import { tell, useGive } from './useGive';

/** Heading names the device, its state, and whether its identity was checked. */
export function Heading({ device }: { device: Detail }) {
  return (
    <Group gap="xs">
      <Title order={1} className="fs-text">
        {device.name}
      </Title>
      <State kind="liveness" state={device.liveness.state} />
      {device.confirmed ? (
        <Tooltip
          label="Whoever approved it had its pairing code, or its edge key was this device’s own, or somebody checked it since."
          multiline
          maw={300}
        >
          <Badge variant="default" className="fs-state" leftSection={<IconShieldCheck size={14} aria-hidden />}>
            confirmed
          </Badge>
        </Tooltip>
      ) : (
        <Tooltip
          label="It was let in without its pairing code: nobody has compared it with the machine that is meant. It gets no secrets. Settings has a button for when you have."
          multiline
          maw={300}
        >
          <Badge
            variant="light"
            color="yellow"
            className="fs-state"
            leftSection={<IconShieldQuestion size={14} aria-hidden />}
          >
            unconfirmed
          </Badge>
        </Tooltip>
      )}
    </Group>
  );
}

/** Actions are what can be asked of the whole device. */
export function Actions({ device }: { device: Detail }) {
  const give = useGive(device);
  const [busy, setBusy] = useState(false);
  const look = useMay('commands.look');
  const out = device.liveness.state === 'revoked';
  if (!look) return null;
  return (
    <Tooltip label={out ? 'The device is shut out.' : 'Ask the device to look at itself and send what it finds'}>
      <Button
        variant="default"
        leftSection={<IconCamera size={16} aria-hidden />}
        loading={busy}
        disabled={out}
        onClick={() => {
          setBusy(true);
          give({ kind: 'snapshot' })
            .catch(tell)
            .finally(() => setBusy(false));
        }}
      >
        Snapshot now
      </Button>
    </Tooltip>
  );
}

/** Standing says why the device is in its state, and how it is reached. */
export function Standing({ device, observed }: { device: Detail; observed: Observed | undefined }) {
  const { liveness: l } = device;
  return (
    <div>
      {l.state === 'revoked' && (
        <Alert color="red" icon={<IconBan aria-hidden />} title="Shut out for good" mb="xs">
          <Since at={device.revoked} />. Its record stays for the books; it gets no commands and no stacks.
          {device.replaced_by && (
            <>
              {' '}
              <LinkAnchor to="/devices/$device" params={{ device: device.replaced_by }}>
                Another device took its place.
              </LinkAnchor>
            </>
          )}
        </Alert>
      )}
      {l.reason && (
        <Text size="sm" className="fs-text" data-testid="reason">
          {l.reason}
        </Text>
      )}
      <dl className="fs-terms-row">
        <Item name="Last contact">
          <Since at={l.last_contact} none="never" />
        </Item>
        <Item name="Next contact">{l.next_contact ? <Since at={l.next_contact} /> : 'none expected'}</Item>
        {l.state === 'quiet' && <NextOpening device={device} />}
        {observed && (
          <Item name="Seen as of">
            <Since at={observed.as_of} />
          </Item>
        )}
        <Item name="Mode">{device.mode}</Item>
        <Item name="Carrier">
          {device.carrier ? `${device.carrier}${l.connected ? ', connected' : ''}` : 'no contact yet'}
        </Item>
        <Item name="Group">
          {device.group ? (
            <LinkAnchor to="/fleet" search={{ group: device.group }} size="sm" className="fs-text">
              {device.group}
            </LinkAnchor>
          ) : (
            'none'
          )}
        </Item>
        <Item name="Agent">
          <span className="fs-text">{device.version || 'unknown'}</span>
        </Item>
        {device.replaces && (
          <Item name="Took the place of">
            <LinkAnchor to="/devices/$device" params={{ device: device.replaces }} size="sm">
              {device.replaces}
            </LinkAnchor>
          </Item>
        )}
      </dl>
    </div>
  );
}

/** NextOpening says when a device that is quiet may be in contact next, and for how long. */
function NextOpening({ device }: { device: Detail }) {
  const { data } = useQuery(contactQuery(device.id));
  const next = data?.openings[0];
  const [start, end] = [dateOf(next?.start), dateOf(next?.end)];
  if (!start || data?.always) return null;
  return (
    <Item name="Next opening">
      <Since at={next?.start} />
      {end && `, for ${span((end.getTime() - start.getTime()) / 1000)}`}
    </Item>
  );
}

function Item({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
