import { Button, Drawer, Group, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { May } from '../../app/May';
import { bytes } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { Term, Terms } from '../../kit/Terms';
import { usePhone } from '../../kit/usePhone';
import { act, outputAddress, outputQuery, type Run, type RunKey, runQuery } from './queries';
import { countWords, endWords, hereOf, streamWords, tookWords } from './words';

interface Props {
  job: string;
  device: string | undefined;
  run: number | undefined;
  close: () => void;
}

/** RunDrawer shows one run on one device, with its output. */
export function RunDrawer({ job, device, run, close }: Props) {
  const phone = usePhone();
  return (
    <Drawer
      opened={device !== undefined && run !== undefined}
      onClose={close}
      position="right"
      size={phone ? '100%' : 'xl'}
      title={<span className="fs-text">{`Run ${run ?? ''} of ${job}`}</span>}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {device !== undefined && run !== undefined && <RunView key={`${device} ${run}`} of={{ job, device, run }} />}
    </Drawer>
  );
}

/** RunView shows a run as it goes on, and what it writes. */
export function RunView({ of }: { of: RunKey }) {
  // How much of its output was here when more was asked for.
  const [waits, setWaits] = useState<number>();
  const { data: r, error, refetch } = useQuery(runQuery(of, waits !== undefined));
  const cancel = useMutation({
    mutationFn: () => act.cancel(of),
    onSuccess: () => notifications.show({ message: 'The device ends the run when it has heard of it.' }),
  });
  const more = useMutation({
    mutationFn: () => act.more(of, 1 << 20),
    onSuccess: () => setWaits(r ? hereOf(r) : 0),
  });
  if (r && waits !== undefined && hereOf(r) > waits && !r.stdout?.coming && !r.stderr?.coming) setWaits(undefined);
  if (!r) return error ? <Failure error={error} retry={() => void refetch()} /> : <Skeleton h={200} />;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <State kind="run" state={r.state} />
        {!r.final && (
          <May operation="jobs.operate">
            <Button
              size="compact-md"
              variant="default"
              loading={cancel.isPending}
              disabled={cancel.isSuccess}
              onClick={() => cancel.mutate()}
            >
              {cancel.isSuccess ? 'The device is asked to end it' : 'Cancel the run'}
            </Button>
          </May>
        )}
      </Group>
      <Failure error={error ?? cancel.error} />
      <Terms>
        <Term name="Device">
          <LinkAnchor to="/devices/$device" params={{ device: r.device }} search={{ tab: 'jobs' }} size="sm">
            {r.name || r.device}
          </LinkAnchor>
        </Term>
        <Term name={r.command ? 'Asked for' : 'Due'}>
          <Since at={r.due} />
          {r.by && ` by ${r.by}`}
        </Term>
        {(r.count ?? 1) > 1 && (
          <Term name="Stands for">
            {countWords(r.count)}, the last was due <Since at={r.until} />
          </Term>
        )}
        <Term name="Started">
          <Since at={r.started} none="not" />
          {r.own_clock && ', by the device’s own clock: it had no contact since its start'}
        </Term>
        {r.final && r.started && <Term name="Took">{tookWords(r.took_ms)}</Term>}
        {r.final && <Term name="Ended">{endWords(r)}</Term>}
        {!r.final && r.text && <Term name="It says">{r.text}</Term>}
        <Term name="Version">{String(r.version)}</Term>
      </Terms>
      {r.started && (
        <May operation="jobs.output">
          <Output of={of} run={r} more={() => more.mutate()} asking={more.isPending} waits={waits !== undefined} />
          <Failure error={more.error} />
        </May>
      )}
    </Stack>
  );
}

interface OutputProps {
  of: RunKey;
  run: Run;
  more: () => void;
  asking: boolean;
  /** The device was asked, and has not answered yet. */
  waits: boolean;
}

function Output({ of, run: r, more, asking, waits }: OutputProps) {
  const [chosen, choose] = useState<'stdout' | 'stderr'>();
  // Where only errors were written, they are what one looks for.
  const stream = chosen ?? ((r.stdout?.size ?? 0) === 0 && (r.stderr?.size ?? 0) > 0 ? 'stderr' : 'stdout');
  const s = r[stream];
  const here = s ? s.have_to - s.have_from : 0;
  const { data, error } = useQuery({ ...outputQuery(of, stream, `${s?.have_from}-${s?.have_to}`), enabled: here > 0 });
  const there = (['stdout', 'stderr'] as const).some((n) => {
    const t = r[n];
    return t && !t.lost && !t.coming && t.have_to - t.have_from < t.kept;
  });
  const label = (name: string, t: Run['stdout']) => `${name} · ${t ? bytes(t.size) : r.final ? 'nothing' : '…'}`;
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs">
        <SegmentedControl
          aria-label="Stream"
          value={stream}
          onChange={(v) => choose(v === 'stderr' ? 'stderr' : 'stdout')}
          data={[
            { value: 'stdout', label: label('Output', r.stdout) },
            { value: 'stderr', label: label('Errors', r.stderr) },
          ]}
        />
        <Group gap="xs">
          {(there || !r.final) && (
            <Button size="compact-sm" variant="default" loading={asking} disabled={waits} onClick={more}>
              {waits ? 'The device is asked …' : r.final ? 'More from the device' : 'What it has written so far'}
            </Button>
          )}
          {here > 0 && (
            <Button
              component="a"
              href={outputAddress(of, stream)}
              download={`${of.job}-${of.run}-${stream}.log`}
              size="compact-sm"
              variant="default"
              leftSection={<IconDownload size={15} aria-hidden />}
            >
              Download
            </Button>
          )}
        </Group>
      </Group>
      <Text size="sm" c="dimmed">
        {s ? streamWords(s) : r.final ? 'It wrote nothing.' : 'What it writes comes when it ends.'}
      </Text>
      <Failure error={error} />
      {data !== undefined && here > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard has to reach
        <section className="fs-output" data-wrap="" tabIndex={0} aria-label={stream === 'stdout' ? 'Output' : 'Errors'}>
          {data}
        </section>
      )}
    </Stack>
  );
}
