import { ActionIcon, Button, Group, Slider, Text, TextInput, Tooltip } from '@mantine/core';
import { IconArrowsDiff, IconChevronLeft, IconChevronRight, IconHistory } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { exact } from '../../kit/time';
import { usePhone } from '../../kit/usePhone';
import { Changes } from './Changes';
import { usePlace } from './place';
import { type Detail, timesQuery } from './queries';
import { at, fromField, localField } from './times';

/** AsOf goes back in time through what is known of the device, and says loudly where one is then. */
export function AsOf({ device }: { device: Detail }) {
  const { search, go, asOf } = usePlace();
  const { data } = useQuery(timesQuery(device.id));
  const times = data?.times ?? [];
  const last = times.length - 1;
  const here = asOf ? at(times, asOf) : last;
  const [dragged, drag] = useState<number>();
  const to = (i: number) => go({ as_of: i >= last ? undefined : times[Math.max(i, 0)] });
  const when = (i: number) => (i >= last || i < 0 ? 'now' : exact(new Date(times[i] as string)));
  const phone = usePhone();
  const [wanted, want] = useState(false);
  const folded = phone && !asOf && !search.with && !wanted;
  const before = times[here - 1];
  const oldest = !before && !search.with;
  return (
    <div>
      <section className="fs-asof" data-past={asOf ? '' : undefined} aria-label="Time">
        <Group gap={6} wrap="nowrap">
          <IconHistory size={18} stroke={1.6} aria-hidden />
          <Text size="sm" role="status" data-testid="as-of">
            {asOf ? (
              <>
                You look at <b>{exact(new Date(asOf))}</b>, not at now
              </>
            ) : (
              'As of now'
            )}
          </Text>
          {asOf && (
            <Button size="compact-sm" style={{ flexShrink: 0 }} onClick={() => go({ as_of: undefined })}>
              Back to now
            </Button>
          )}
        </Group>
        {folded ? (
          <Button variant="default" size="xs" ml="auto" onClick={() => want(true)}>
            Go back in time
          </Button>
        ) : (
          <>
            <Group gap={6} wrap="nowrap" flex={1} miw={210} maw={460}>
              <Tooltip label="One change back">
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label="One change back"
                  disabled={here <= 0}
                  onClick={() => to(here - 1)}
                >
                  <IconChevronLeft size={18} />
                </ActionIcon>
              </Tooltip>
              <Slider
                flex={1}
                size="sm"
                thumbSize={18}
                thumbLabel="Time looked at"
                thumbProps={{ 'aria-valuetext': when(dragged ?? here) }}
                min={0}
                max={Math.max(last, 1)}
                disabled={last < 1}
                value={last < 1 ? 1 : (dragged ?? Math.max(here, 0))}
                label={when}
                onChange={drag}
                onChangeEnd={(i) => {
                  drag(undefined);
                  to(i);
                }}
              />
              <Tooltip label="One change on">
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label="One change on"
                  disabled={!asOf}
                  onClick={() => to(here + 1)}
                >
                  <IconChevronRight size={18} />
                </ActionIcon>
              </Tooltip>
            </Group>
            <PickTime key={search.as_of ?? ''} asOf={asOf} pick={(t) => go({ as_of: t })} />
            <Tooltip
              label="There is no older snapshot to compare with."
              events={{ hover: true, focus: true, touch: true }}
              disabled={!oldest}
            >
              <Button
                variant={search.with ? 'light' : 'default'}
                size="xs"
                leftSection={<IconArrowsDiff size={16} aria-hidden />}
                data-disabled={oldest || undefined}
                aria-disabled={oldest}
                aria-expanded={!!search.with}
                onClick={() => !oldest && go({ with: search.with ? undefined : before })}
              >
                What changed
              </Button>
            </Tooltip>
          </>
        )}
        {data && last < 1 && !folded && (
          <Text size="xs" c="dimmed">
            {last < 0 ? 'No state of it is known yet.' : 'Nothing has changed on it since its first snapshot.'}
          </Text>
        )}
        {asOf && (
          <Text size="xs" w="100%">
            Machine, containers, images, volumes and networks are of then. State, stacks, commands, timeline and
            settings are of now.
          </Text>
        )}
      </section>
      {search.with && <Changes device={device} times={times} />}
    </div>
  );
}

function PickTime({ asOf, pick }: { asOf: string | undefined; pick: (t: string) => void }) {
  const [text, setText] = useState(() => localField(asOf));
  const take = () => {
    const t = fromField(text);
    if (t && text !== localField(asOf)) pick(t);
  };
  return (
    <TextInput
      type="datetime-local"
      step={1}
      size="xs"
      aria-label="Go to a time"
      className="fs-picktime"
      value={text}
      max={localField(new Date().toISOString())}
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={take}
      onKeyDown={(e) => e.key === 'Enter' && take()}
    />
  );
}
