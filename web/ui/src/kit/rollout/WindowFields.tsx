import { ActionIcon, Button, Chip, Fieldset, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { startOf, type WindowTimes, week } from './windows';

interface Props {
  name: string;
  times: WindowTimes;
  set: (part: Partial<WindowTimes>) => void;
  remove: () => void;
  /** The field for how long it lasts. */
  length: ReactNode;
  wrong: string | undefined;
  /** What it means, where nothing is wrong with it. */
  words: () => string;
}

/** WindowFields are the fields of a window that comes again and again: by days and a time, or as cron says it. */
export function WindowFields({ name, times: t, set, remove, length, wrong, words }: Props) {
  return (
    <Fieldset p="xs" aria-label={name}>
      <Stack gap={6}>
        {t.cron === undefined ? (
          <>
            <Chip.Group multiple value={t.days.map(String)} onChange={(v) => set({ days: v.map(Number) })}>
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
                value={t.at}
                onChange={(e) => set({ at: e.currentTarget.value })}
              />
              {length}
            </Group>
          </>
        ) : (
          <Group grow gap="xs">
            <TextInput
              label="Opens, as cron says it"
              classNames={{ input: 'fs-code' }}
              placeholder="0 2 1 * *"
              value={t.cron}
              spellCheck={false}
              onChange={(e) => set({ cron: e.currentTarget.value })}
            />
            {length}
          </Group>
        )}
        <TextInput
          label="Time zone"
          description="Empty: each device’s own"
          placeholder="Europe/Oslo"
          value={t.zone}
          spellCheck={false}
          onChange={(e) => set({ zone: e.currentTarget.value })}
        />
        <Text size="xs" c={wrong ? 'var(--mantine-color-error)' : 'dimmed'} aria-live="polite" className="fs-text">
          {wrong ?? `${words()}.`}
        </Text>
        <Group justify="space-between">
          {t.cron === undefined && (
            <Button variant="subtle" size="compact-xs" px={0} onClick={() => set({ cron: startOf(t) })}>
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
