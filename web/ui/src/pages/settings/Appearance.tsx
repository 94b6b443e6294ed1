import { SegmentedControl, Stack, Text, useMantineColorScheme } from '@mantine/core';

/** Appearance is how the console looks in this browser. */
export function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Stack gap="xs" maw={420}>
      <Text size="sm" fw={500} id="fs-colours">
        Colours
      </Text>
      <SegmentedControl
        aria-labelledby="fs-colours"
        size="md"
        value={colorScheme}
        onChange={(v) => setColorScheme(v as typeof colorScheme)}
        data={[
          { value: 'auto', label: 'As the system' },
          { value: 'light', label: 'Light' },
          { value: 'dark', label: 'Dark' },
        ]}
      />
      <Text size="sm" c="dimmed">
        Kept in this browser only. Times are shown in the time zone of this computer.
      </Text>
    </Stack>
  );
}
