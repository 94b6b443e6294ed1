import { Group, NumberInput, Stack, Textarea, TextInput } from '@mantine/core';
import { type Form, wrongWindows } from './form';

/** More asks for what few updates need: change windows, and how long a device may take. */
export function More({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
  return (
    <Stack gap="sm" pt="xs">
      <Textarea
        label="Change windows"
        description="When devices may change, one a line: five fields of cron, and how long. Empty: at any time"
        placeholder="0 2 * * 6,7 for 2h"
        autosize
        spellCheck={false}
        value={form.windows}
        onChange={(e) => set({ windows: e.currentTarget.value })}
        error={wrongWindows(form.windows)}
      />
      <Group grow align="flex-end">
        <TextInput
          label="Time zone of the windows"
          description="Empty: of each device’s label timezone"
          placeholder="Europe/Oslo"
          spellCheck={false}
          value={form.zone}
          onChange={(e) => set({ zone: e.currentTarget.value })}
        />
        <NumberInput
          label="Trial (minutes)"
          description="To reach the hub anew. Empty: 5"
          min={1}
          max={1440}
          allowDecimal={false}
          value={form.trial}
          onChange={(trial) => set({ trial })}
        />
      </Group>
      <TextInput
        label="Message"
        description="Why; shown with the update"
        maxLength={1024}
        value={form.message}
        onChange={(e) => set({ message: e.currentTarget.value })}
      />
    </Stack>
  );
}
