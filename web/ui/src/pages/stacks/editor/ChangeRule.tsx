import { Button, Checkbox, Group, NumberInput, Stack, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { WindowFields } from '../../../kit/rollout/WindowFields';
import { night, type WindowForm, windowOf, windowWords, wrongWindow } from '../../../kit/rollout/windows';
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
  return (
    <WindowFields
      name={name}
      times={w}
      set={set}
      remove={remove}
      wrong={wrongWindow(w)}
      words={() => windowWords(windowOf(w))}
      length={
        <NumberInput
          label="For (minutes)"
          min={1}
          max={10_080}
          allowDecimal={false}
          value={w.minutes}
          onChange={(minutes) => set({ minutes })}
        />
      }
    />
  );
}
