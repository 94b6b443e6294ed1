import {
  ActionIcon,
  Button,
  Checkbox,
  Chip,
  Fieldset,
  Group,
  NumberInput,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { night, type WindowForm, week, windowOf, windowWords, wrongWindow } from '../../../kit/rollout/windows';
import type { Rules } from './rules';

interface Props {
  rules: Rules;
  change: (part: Partial<Rules>) => void;
}

/** ChangeRule says when devices may be changed. */
export function ChangeRule({ rules: r, change }: Props) {
  const set = (id: number, part: Partial<WindowForm>) =>
    change({ windows: r.windows.map((w) => (w.id === id ? { ...w, ...part } : w)) });
  const next = Math.max(-1, ...r.windows.map((w) => w.id)) + 1;
  return (
    <Stack gap={8}>
      {r.windows.map((w, i) => (
        <Window
          key={w.id}
          name={`Change window ${i + 1}`}
          window={w}
          set={(part) => set(w.id, part)}
          remove={() => change({ windows: r.windows.filter((o) => o.id !== w.id) })}
        />
      ))}
      <Group gap="xs">
        <Button
          size="compact-sm"
          h={{ base: 40, sm: 26 }}
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={r.windows.length >= 16}
          onClick={() => change({ windows: [...r.windows, night(next)] })}
        >
          Change window
        </Button>
        {r.windows.length === 0 && (
          <Text size="xs" c="dimmed">
            None: at any time.
          </Text>
        )}
      </Group>
      <Checkbox
        label="Only when somebody has approved the rollout"
        checked={r.approve}
        onChange={(e) => change({ approve: e.currentTarget.checked })}
      />
      <Checkbox
        label="Fetch files and images only then"
        description="Otherwise devices fetch at once, and apply later."
        checked={r.fetchLate}
        onChange={(e) => change({ fetchLate: e.currentTarget.checked })}
      />
    </Stack>
  );
}

interface WindowProps {
  name: string;
  window: WindowForm;
  set: (part: Partial<WindowForm>) => void;
  remove: () => void;
}

function Window({ name, window: w, set, remove }: WindowProps) {
  const wrong = wrongWindow(w);
  const { cron, ...plain } = w;
  return (
    <Fieldset p="xs" aria-label={name}>
      <Stack gap={6}>
        {cron === undefined ? (
          <>
            <Chip.Group multiple value={w.days.map(String)} onChange={(v) => set({ days: v.map(Number) })}>
              <Group gap={4} role="group" aria-label="Days; none: each">
                {week.map(({ day, name: label }) => (
                  <Chip key={day} value={String(day)} size="xs" variant="light">
                    {label}
                  </Chip>
                ))}
              </Group>
            </Chip.Group>
            <Group grow gap="xs">
              <TextInput
                label="Opens at"
                type="time"
                value={w.at}
                onChange={(e) => set({ at: e.currentTarget.value })}
              />
              <Minutes value={w.minutes} set={set} />
            </Group>
          </>
        ) : (
          <Group grow gap="xs">
            <TextInput
              label="Opens, as cron says it"
              classNames={{ input: 'fs-code' }}
              placeholder="0 2 1 * *"
              value={cron}
              spellCheck={false}
              onChange={(e) => set({ cron: e.currentTarget.value })}
            />
            <Minutes value={w.minutes} set={set} />
          </Group>
        )}
        <TextInput
          label="Time zone"
          description="Empty: each device’s own"
          placeholder="Europe/Oslo"
          value={w.zone}
          spellCheck={false}
          onChange={(e) => set({ zone: e.currentTarget.value })}
        />
        <Text size="xs" c={wrong ? 'var(--mantine-color-error)' : 'dimmed'} aria-live="polite">
          {wrong ?? `${windowWords(windowOf(w))}.`}
        </Text>
        <Group justify="space-between">
          {cron === undefined && (
            <Button variant="subtle" size="compact-xs" px={0} onClick={() => set({ cron: windowOf(plain).start })}>
              Say it as cron does
            </Button>
          )}
          <ActionIcon variant="subtle" color="gray" size={36} ml="auto" aria-label={`Remove ${name}`} onClick={remove}>
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      </Stack>
    </Fieldset>
  );
}

function Minutes({ value, set }: { value: number | string; set: (part: Partial<WindowForm>) => void }) {
  return (
    <NumberInput
      label="For (minutes)"
      min={1}
      max={10_080}
      allowDecimal={false}
      value={value}
      onChange={(minutes) => set({ minutes })}
    />
  );
}
