import { Anchor, Button, CloseButton, Group, Paper, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { secondsOf } from '../../kit/frequency';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { usePlace } from './place';
import { type Command, commandsQuery, type Detail, snapshotQuery } from './queries';
import { tell, useGive, useWithdraw } from './useGive';
import { commandWords, whenCollected, whenSeen } from './words';

const most = 4;

/** CommandStrip shows what was asked of the device and is under way, and how that which one saw under way ended. */
export function CommandStrip({ device }: { device: Detail }) {
  const { data } = useQuery(commandsQuery(device.id));
  const { go, tab } = usePlace();
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const open = data?.items.filter((c) => !c.final).map((c) => c.id);
  const fresh = open?.filter((id) => !seen.has(id)).join(' ');
  useEffect(() => {
    if (fresh) setSeen((s) => new Set([...s, ...fresh.split(' ')]));
  }, [fresh]);
  const ended = data?.items
    .filter((c) => c.final && seen.has(c.id))
    .map((c) => c.id)
    .join(' ');
  useEffect(() => {
    // What said that it is queued is not true any more.
    for (const id of ended?.split(' ') ?? []) notifications.hide(id);
  }, [ended]);
  const list = (data?.items ?? []).filter((c) => (!c.final || seen.has(c.id)) && !gone.has(c.id));
  if (list.length === 0 || tab === 'commands') return null;
  return (
    <Paper withBorder px="sm" py={6} component="section" aria-label="Commands under way">
      <Stack gap={6}>
        {list.slice(0, most).map((c) => (
          <Row key={c.id} device={device} command={c} hide={() => setGone((g) => new Set([...g, c.id]))} />
        ))}
        {list.length > most && (
          <Anchor component="button" type="button" size="sm" ta="start" onClick={() => go({ tab: 'commands' })}>
            All commands ({list.length - most} more under way)
          </Anchor>
        )}
      </Stack>
    </Paper>
  );
}

function Row({ device, command: c, hide }: { device: Detail; command: Command; hide: () => void }) {
  const { go } = usePlace();
  const withdraw = useWithdraw();
  return (
    <Group gap="sm" justify="space-between" data-command={c.id}>
      <Group gap="sm" flex={1} miw={0}>
        <State kind="command" state={c.state} />
        <button type="button" className="fs-link" onClick={() => go({ command: c.id })}>
          {commandWords(c)}
        </button>
        <Text size="sm" c="dimmed" component="div" className="fs-text">
          <Standing device={device} command={c} />
        </Text>
      </Group>
      {c.final ? (
        <CloseButton aria-label={`Hide ${commandWords(c)}`} onClick={hide} />
      ) : (
        <Button
          size="compact-sm"
          variant="default"
          disabled={c.withdrawing}
          onClick={() => withdraw(c.id)}
          aria-label={`Withdraw ${commandWords(c)}`}
        >
          Withdraw
        </Button>
      )}
    </Group>
  );
}

/** Standing says in a sentence where a command is on its way, or how it ended. */
export function Standing({ device, command: c }: { device: Detail; command: Command }) {
  const give = useGive(device);
  const { data: observed } = useQuery(snapshotQuery(device.id));
  if (c.withdrawing) return 'The device was asked not to start it; its word decides.';
  if (c.state === 'queued') {
    const next = secondsOf(device.effective.settings.command ?? '') && device.liveness.next_contact;
    return (
      <>
        {whenCollected(device)}
        {next && (
          <>
            {' '}
            Next contact expected: <Since at={next} />
          </>
        )}
      </>
    );
  }
  if (c.state === 'sent') {
    return (
      <>
        The device has it since <Since at={c.sent} />; its result is awaited.
      </>
    );
  }
  if (c.state === 'waiting') return `Waiting: ${c.text}.`;
  const text = c.text || (c.state === 'done' ? 'Done' : '');
  const acts = c.state === 'done' && c.kind !== 'container.logs' && c.kind !== 'snapshot';
  const old = !observed || Date.parse(observed.as_of) < Date.parse(c.ended ?? c.given);
  return (
    <>
      {text} (<Since at={c.ended} />)
      {acts && old && (
        <>
          . {whenSeen(device)}{' '}
          <Anchor component="button" type="button" size="sm" onClick={() => give({ kind: 'snapshot' }).catch(tell)}>
            Snapshot now
          </Anchor>
        </>
      )}
    </>
  );
}
