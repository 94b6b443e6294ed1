import { Button, Checkbox, Drawer, Group, NativeSelect, Skeleton, Stack, Text } from '@mantine/core';
import { IconDownload, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { bytes } from '../../kit/bytes';
import { CopyIcon } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { Term, Terms } from '../../kit/Terms';
import { Standing } from './CommandStrip';
import { plain } from './output';
import { usePlace } from './place';
import { type Command, commandQuery, type Detail } from './queries';
import { tell, useGive, useWithdraw } from './useGive';
import { commandWords, outputNote } from './words';

/** CommandDrawer shows the command that the address names, until its end and with its output. */
export function CommandDrawer({ device }: { device: Detail }) {
  const { search, go } = usePlace();
  const id = search.command;
  const { data, error, refetch } = useQuery({ ...commandQuery(id ?? ''), enabled: !!id });
  return (
    <Drawer
      opened={!!id}
      onClose={() => go({ command: undefined })}
      position="right"
      size="xl"
      title={<span className="fs-text">{data ? commandWords(data) : 'Command'}</span>}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : data ? (
        <Body key={data.id} device={device} command={data} />
      ) : (
        <Skeleton h={200} />
      )}
    </Drawer>
  );
}

function Body({ device, command: c }: { device: Detail; command: Command }) {
  const withdraw = useWithdraw();
  return (
    <Stack gap="sm">
      <Group gap="sm" justify="space-between">
        <State kind="command" state={c.state} />
        {!c.final && (
          <Button size="compact-md" variant="default" disabled={c.withdrawing} onClick={() => withdraw(c.id)}>
            Withdraw
          </Button>
        )}
      </Group>
      <Text size="sm" component="div" className="fs-text">
        <Standing device={device} command={c} />
      </Text>
      <Terms>
        <Term name="Given">
          <Since at={c.given} /> by <span className="fs-text">{c.by}</span>
        </Term>
        <Term name="Taken by the device">
          <Since at={c.sent} none="not yet" />
        </Term>
        {c.started && (
          <Term name="Started">
            <Since at={c.started} />, by the device’s clock
          </Term>
        )}
        {c.final ? (
          <Term name="Ended">
            <Since at={c.ended} />
            {c.hubs_word && ', by the hub’s word: the device has not said so'}
          </Term>
        ) : (
          <Term name="Not started after">
            <Since at={c.expires} />
          </Term>
        )}
        {c.force && <Term name="Forced">yes</Term>}
        <Term name="Id">
          <code>{c.id}</code>
        </Term>
      </Terms>
      {c.kind === 'container.logs' && <Again device={device} command={c} />}
      {(c.kind === 'container.logs' || (c.output_bytes ?? 0) > 0) && <Output command={c} />}
    </Stack>
  );
}

function Again({ device, command: c }: { device: Detail; command: Command }) {
  const give = useGive(device);
  const { go } = usePlace();
  const [lines, setLines] = useState(String(c.tail || 100));
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    try {
      const next = await give({ kind: 'container.logs', target: c.target, tail: Number(lines) });
      go({ command: next.id });
    } catch (e) {
      tell(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Group gap="xs">
      <NativeSelect
        aria-label="Lines"
        size="sm"
        value={lines}
        onChange={(e) => setLines(e.currentTarget.value)}
        data={[...new Set(['100', '1000', '10000', lines])]
          .sort((a, b) => Number(a) - Number(b))
          .map((n) => ({ value: n, label: `last ${n} lines` }))}
      />
      <Button
        variant="default"
        size="sm"
        leftSection={<IconRefresh size={16} aria-hidden />}
        loading={busy}
        onClick={ask}
      >
        Ask again
      </Button>
    </Group>
  );
}

function Output({ command: c }: { command: Command }) {
  const [wrap, setWrap] = useState(true);
  const text = useMemo(() => plain(c.output ?? ''), [c.output]);
  if (text === '') {
    return (
      <Text size="sm" c="dimmed">
        {!c.final
          ? 'Its output shows here as soon as it arrives.'
          : c.output_bytes
            ? `${bytes(c.output_bytes)} of output are still on their way.`
            : 'It wrote nothing.'}
      </Text>
    );
  }
  const save = () => {
    const a = document.createElement('a');
    a.href = URL.createObjectURL(new Blob([c.output ?? ''], { type: 'text/plain' }));
    a.download = `${(c.target ?? c.kind).replace(/[^\w.-]+/g, '_').slice(0, 80)}-${c.id}.log`;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };
  return (
    <div>
      <Group gap="xs" justify="space-between" mb={6}>
        <Text size="sm" c="dimmed">
          {bytes(c.output_bytes)}
        </Text>
        <Group gap="xs">
          <Checkbox size="sm" label="Wrap lines" checked={wrap} onChange={(e) => setWrap(e.currentTarget.checked)} />
          <CopyIcon text={text} label="Copy the output" />
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconDownload size={15} aria-hidden />}
            onClick={save}
          >
            Download
          </Button>
        </Group>
      </Group>
      <Text size="sm" className="fs-warning">
        {outputNote(c)}
      </Text>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard has to reach */}
      <section className="fs-output" data-wrap={wrap ? '' : undefined} tabIndex={0} aria-label="Output">
        {text}
      </section>
    </div>
  );
}
