import { Alert, Anchor, Checkbox, Group, List, Loader, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { waitingQuery } from '../../api/queries';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { State } from '../../kit/State';
import { Approved } from './Approved';
import { ApproveForm } from './ApproveForm';
import { CodeField } from './CodeField';
import { normalizeCode } from './code';
import { nameOf, type Outcome, type Waiter } from './decide';
import { Claims, Doubts, Known } from './Known';
import { useEnrolment } from './useEnrolment';

const lookAgain = 10_000; // ms; events come at once, this is for when their stream is lost

/** ByCode approves the one device that shows this pairing code. */
export function ByCode({ code: asked }: { code: string }) {
  const navigate = useNavigate();
  const read = normalizeCode(asked);
  const code = 'code' in read ? read.code : undefined;
  const { data, error, refetch } = useQuery({ ...waitingQuery('all'), refetchInterval: lookAgain });
  const typed = useLocation({ select: (l) => l.state.typedCode }) === code;
  const [result, setResult] = useState<{ outcome: Outcome; confirmed: boolean }>();
  const device = data?.items.find((w) => w.pairing_code === code);
  const back = () => navigate({ to: '/waiting' });
  if (result) {
    return (
      <Page title="Approved" heading={<Title order={1}>Approved</Title>}>
        <Approved outcome={result.outcome} confirmed={result.confirmed} another={back} />
      </Page>
    );
  }
  return (
    <Page
      title={`Approve ${code ?? ''}`}
      heading={<Title order={1}>Approve {code ?? 'a device'}</Title>}
      about={
        <Anchor size="sm" renderRoot={(p) => <Link to="/waiting" {...p} />}>
          All that wait
        </Anchor>
      }
    >
      <Stack maw={720} w="100%" gap="md">
        <CodeField
          key={asked}
          initial={code ?? asked}
          // What the address brought is not typed by pressing Find.
          find={(c) => c !== code && navigate({ to: '/waiting', search: { code: c }, state: { typedCode: c } })}
        />
        {'wrong' in read && (
          <Alert color="red" role="alert">
            {read.wrong}
          </Alert>
        )}
        <Failure error={error} retry={refetch} />
        {code && !data && !error && <Skeleton h={360} />}
        {code && data && !device && <NotHere code={code} />}
        {device && (
          <Found
            key={device.id}
            device={device}
            typed={typed}
            done={([outcome], confirmed) => outcome && setResult({ outcome, confirmed })}
            cancel={back}
          />
        )}
      </Stack>
    </Page>
  );
}

interface FoundProps {
  device: Waiter;
  /** The code was typed or scanned here; otherwise it came with a link, which anybody may have sent. */
  typed: boolean;
  done: (o: Outcome[], confirmed: boolean) => void;
  cancel: () => void;
}

function Found({ device, typed, done, cancel }: FoundProps) {
  const enrolment = useEnrolment();
  const [seen, setSeen] = useState(false);
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }}>
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Title order={2} className="fs-pairing-code" fz={34}>
            {device.pairing_code}
          </Title>
          {device.state !== 'waiting' && <State kind="waiting" state={device.state} />}
        </Group>
        {typed ? (
          <Group gap={6} wrap="nowrap">
            <IconShieldCheck size={20} aria-hidden color="var(--mantine-color-green-7)" style={{ flexShrink: 0 }} />
            <Text size="sm">
              The code is that of the device called <b className="fs-text">{nameOf(device)}</b>: the approval will be
              confirmed.
            </Text>
          </Group>
        ) : (
          <Checkbox
            size="md"
            checked={seen}
            onChange={(e) => setSeen(e.currentTarget.checked)}
            label={`The device in front of me shows ${device.pairing_code}`}
            description="The code came with a link, which anybody could have sent: compare it with the device itself."
          />
        )}
        {device.state !== 'waiting' && (
          <Alert color="orange" p="xs">
            It was {device.state}
            {device.decided_by ? ` by ${device.decided_by}` : ''}. Approving it lets it in all the same.
          </Alert>
        )}
        <Doubts device={device} />
        <Claims device={device} />
        <Known device={device} enrolment={enrolment(device)} />
        <ApproveForm
          devices={[device]}
          code={typed || seen ? device.pairing_code : undefined}
          done={done}
          cancel={cancel}
        />
      </Stack>
    </Paper>
  );
}

function NotHere({ code }: { code: string }) {
  return (
    <Paper withBorder p="md" role="status">
      <Group gap="sm" wrap="nowrap" mb="xs">
        <Loader size="sm" />
        <Title order={2} size="h3">
          No device with the code <span className="fs-pairing-code">{code}</span> waits yet
        </Title>
      </Group>
      <Text size="sm" mb="xs">
        It appears here by itself when it knocks. Meanwhile check:
      </Text>
      <List size="sm" spacing={4}>
        <List.Item>Is the code the same as on the device, letter by letter?</List.Item>
        <List.Item>Is the device on, and does it reach this hub? Its own page and its log say what it tries.</List.Item>
        <List.Item>
          Was it given an edge key of this hub, one that has uses left?{' '}
          <Anchor size="sm" underline="always" renderRoot={(p) => <Link to="/keys" {...p} />}>
            Edge keys
          </Anchor>
        </List.Item>
        <List.Item>
          Is it in already?{' '}
          <Anchor
            size="sm"
            underline="always"
            renderRoot={(p) => <Link to="/fleet" search={{ sort: 'name' }} {...p} />}
          >
            Fleet
          </Anchor>
        </List.Item>
      </List>
    </Paper>
  );
}
