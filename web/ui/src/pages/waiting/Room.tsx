import { Button, Group, Modal, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDoorEnter, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { asProblem } from '../../api/problem';
import { waitingQuery } from '../../api/queries';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { SearchField } from '../../kit/SearchField';
import { undoable } from '../../kit/undoable';
import { usePhone } from '../../kit/usePhone';
import { Approved, Outcomes } from './Approved';
import { ApproveForm } from './ApproveForm';
import { CodeField } from './CodeField';
import { nameOf, type Outcome, useReject, type Waiter } from './decide';
import { Claims, Doubts, Known } from './Known';
import { matches } from './matches';
import { useEnrolment } from './useEnrolment';
import { WaitingCard } from './WaitingCard';
import { WaitingTable } from './WaitingTable';

const states = [
  { value: 'waiting', label: 'Waiting' },
  { value: 'rejected', label: 'Rejected' },
  { value: 'blocked', label: 'Blocked' },
  { value: 'all', label: 'All' },
] as const;

type No = 'reject' | 'block' | 'undo';
const noWords: Record<No, string> = { reject: 'rejected', block: 'blocked', undo: 'waiting again' };

/** Room lists the devices in the waiting room. Those that come stand at the end, so that nothing moves. */
export function Room() {
  const { state = 'waiting', q } = useSearch({ from: '/inside/waiting' });
  const navigate = useNavigate({ from: '/waiting' });
  const phone = usePhone();
  const enrolment = useEnrolment();
  const { data, error, refetch } = useQuery({ ...waitingQuery(state), placeholderData: keepPreviousData });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [approving, setApproving] = useState<readonly Waiter[]>([]);
  const [said, setSaid] = useState<{ outcomes: Outcome[]; done: string; names: Map<string, string> }>();
  const { mutateAsync: say, isPending } = useReject();

  const no = useCallback(
    async (devices: readonly Waiter[], what: No) => {
      try {
        const outcomes = await say({
          ids: devices.map((w) => w.id),
          block: what === 'block' || undefined,
          undo: what === 'undo' || undefined,
        });
        const worked = devices.filter((w) => !outcomes.find((o) => o.id === w.id)?.error);
        if (worked.length < devices.length) {
          setSaid({ outcomes, done: noWords[what], names: new Map(devices.map((w) => [w.id, nameOf(w)])) });
        } else if (what !== 'undo') {
          tellNo(worked, noWords[what], () => no(worked, 'undo'));
        }
        setChosen(new Set());
      } catch (e) {
        notifications.show({ color: 'red', title: asProblem(e).title, message: asProblem(e).message });
      }
    },
    [say],
  );
  const approve = useCallback((w: Waiter) => setApproving([w]), []);
  const reject = useCallback((w: Waiter) => void no([w], 'reject'), [no]);
  const block = useCallback((w: Waiter) => void no([w], 'block'), [no]);
  const again = useCallback((w: Waiter) => void no([w], 'undo'), [no]);

  const all = data?.items ?? [];
  const shown = q ? all.filter((w) => matches(w, enrolment(w), q)) : all;
  const selected = shown.filter((w) => chosen.has(w.id));
  return (
    <Page
      title="Waiting room"
      about="Devices that knocked with an edge key of this hub. None is in before you approve it."
      actions={
        <May operation="keys.create">
          <Button variant="default" renderRoot={(p) => <Link to="/keys" search={{ new: true }} {...p} />}>
            New edge key
          </Button>
        </May>
      }
    >
      <Stack maw={phone ? undefined : 560}>
        <CodeField find={(code) => navigate({ search: { code }, state: { typedCode: code } })} />
      </Stack>
      <Group gap="sm">
        <SegmentedControl
          aria-label="Which devices"
          size={phone ? 'md' : 'sm'}
          fullWidth={phone}
          w={phone ? '100%' : undefined}
          data={[...states]}
          value={state}
          onChange={(v) => {
            setChosen(new Set());
            const next = states.find((s) => s.value === v)?.value;
            navigate({ search: (s) => ({ ...s, state: next === 'waiting' ? undefined : next }), replace: true });
          }}
        />
        <SearchField
          label="Search the waiting room"
          value={q}
          search={(text) => navigate({ search: (s) => ({ ...s, q: text }), replace: true })}
          size={phone ? 'md' : 'sm'}
          w={{ base: '100%', sm: 280 }}
        />
        {!phone && (
          <May operation="waiting.approve">
            <Group gap="xs" ml="auto" role="group" aria-label="Decide on the selected">
              <Text size="sm" c="dimmed">
                {count(selected.length)} selected
              </Text>
              <Button
                aria-label="Approve the selected"
                disabled={selected.length === 0}
                onClick={() => setApproving(selected)}
              >
                Approve
              </Button>
              <Button
                variant="default"
                aria-label="Reject the selected"
                disabled={selected.length === 0}
                loading={isPending}
                onClick={() => no(selected, 'reject')}
              >
                Reject
              </Button>
              <Button
                variant="default"
                aria-label="Block the selected"
                disabled={selected.length === 0}
                loading={isPending}
                onClick={() => no(selected, 'block')}
              >
                Block
              </Button>
            </Group>
          </May>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={phone ? 420 : 200} />}
      {data && shown.length === 0 && <Nothing state={state} q={q} />}
      {shown.length > 0 &&
        (phone ? (
          <Stack gap="sm">
            {shown.map((w) => (
              <WaitingCard
                key={w.id}
                device={w}
                enrolment={enrolment(w)}
                approve={approve}
                reject={reject}
                block={block}
                again={again}
              />
            ))}
          </Stack>
        ) : (
          <WaitingTable
            devices={shown}
            enrolment={enrolment}
            chosen={chosen}
            choose={setChosen}
            approve={approve}
            reject={reject}
            again={again}
          />
        ))}
      <ApproveDialog
        devices={approving}
        phone={phone}
        close={() => {
          setApproving([]);
          setChosen(new Set());
        }}
      />
      <Modal opened={!!said} onClose={() => setSaid(undefined)} title="What became of them" size="lg">
        {said && <Outcomes outcomes={said.outcomes} done={said.done} nameOf={(id) => said.names.get(id) ?? id} />}
      </Modal>
    </Page>
  );
}

function tellNo(devices: readonly Waiter[], word: string, undo: () => void) {
  const who = devices.length === 1 && devices[0] ? nameOf(devices[0]) : count(devices.length, 'device');
  undoable(`${who}: ${word}`, undo);
}

interface DialogProps {
  devices: readonly Waiter[];
  phone: boolean;
  close: () => void;
}

function ApproveDialog({ devices, phone, close }: DialogProps) {
  const one = devices.length === 1 ? devices[0] : undefined;
  return (
    <Modal
      opened={devices.length > 0}
      onClose={close}
      title={one ? `Approve ${nameOf(one)}` : `Approve ${count(devices.length, 'device')}`}
      fullScreen={phone}
      size="lg"
      classNames={{ title: 'fs-text' }}
    >
      {devices.length > 0 && <Asked devices={devices} close={close} />}
    </Modal>
  );
}

function Asked({ devices, close }: { devices: readonly Waiter[]; close: () => void }) {
  const one = devices.length === 1 ? devices[0] : undefined;
  const enrolment = useEnrolment();
  const [result, setResult] = useState<{ outcomes: Outcome[]; confirmed: boolean }>();
  const first = result?.outcomes[0];
  if (one && result && first) return <Approved outcome={first} confirmed={result.confirmed} another={close} />;
  if (result) {
    return (
      <Stack>
        <Outcomes
          outcomes={result.outcomes}
          done="is in, unconfirmed"
          nameOf={(id) => nameOf(devices.find((w) => w.id === id) as Waiter)}
          linked
        />
        <Button onClick={close}>Done</Button>
      </Stack>
    );
  }
  return (
    <Stack gap="sm">
      {one && (
        <>
          <Doubts device={one} />
          <Claims device={one} />
          <Known device={one} enrolment={enrolment(one)} />
        </>
      )}
      {!one && devices.some((w) => w.marks?.length) && (
        <Text size="sm">
          {count(devices.filter((w) => w.marks?.length).length, 'device')} of them have reasons to look twice.
        </Text>
      )}
      <ApproveForm
        devices={devices}
        cancel={close}
        done={(outcomes, confirmed) => setResult({ outcomes, confirmed })}
      />
    </Stack>
  );
}

function Nothing({ state, q }: { state: (typeof states)[number]['value']; q: string | undefined }) {
  if (q) {
    return (
      <Empty icon={IconSearchOff} title={`Nothing here is known by “${q}”`}>
        Search for a pairing code, host name, serial number, address or edge key, or clear the search.
      </Empty>
    );
  }
  if (state === 'rejected' || state === 'blocked') {
    return (
      <Empty icon={IconDoorEnter} title={`No device is ${state}`}>
        Devices that you {state === 'rejected' ? 'reject' : 'block'} are kept here. They can still be approved.
      </Empty>
    );
  }
  return (
    <Empty icon={IconDoorEnter} title="No device waits">
      Make an edge key, start an agent with it on a device, and the device appears here by itself.
      <br />
      <May operation="keys.create">
        <Button mt="md" renderRoot={(p) => <Link to="/keys" search={{ new: true }} {...p} />}>
          New edge key
        </Button>
      </May>
    </Empty>
  );
}
