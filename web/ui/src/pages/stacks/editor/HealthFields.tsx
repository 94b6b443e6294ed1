import { Checkbox, Group, NumberInput, Stack } from '@mantine/core';
import type { Rules } from './rules';

/** HealthFields say when a version counts as good on a device, and what follows when it is not. */
export function HealthFields({ rules: r, change }: { rules: Rules; change: (part: Partial<Rules>) => void }) {
  return (
    <Stack gap={8}>
      <Group grow gap="xs" align="flex-end">
        <NumberInput
          label="Watch it for"
          description="Minutes. Empty: until it runs"
          min={0}
          max={1440}
          value={r.watch}
          onChange={(watch) => change({ watch })}
        />
        <NumberInput
          label="Try again"
          description="Times. Empty: 5"
          min={0}
          max={1000}
          allowDecimal={false}
          value={r.retries}
          onChange={(retries) => change({ retries })}
        />
      </Group>
      <Checkbox
        label="A version that fails stays"
        description="Otherwise the device brings the last good one back."
        checked={r.stay}
        onChange={(e) => change({ stay: e.currentTarget.checked })}
      />
    </Stack>
  );
}
