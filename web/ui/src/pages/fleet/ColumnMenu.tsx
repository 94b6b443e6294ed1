import { Button, Checkbox, Popover, Stack } from '@mantine/core';
import { IconColumns3 } from '@tabler/icons-react';
import { columns, hiddenOf } from './columns';
import type { FleetSearch } from './filter';

interface Props {
  hide: string | undefined;
  change: (next: Partial<FleetSearch>) => void;
}

/** ColumnMenu chooses which columns are shown; the address keeps it. */
export function ColumnMenu({ hide, change }: Props) {
  const hidden = hiddenOf(hide);
  const turn = (id: string) => {
    const next = columns.flatMap(({ id: c = '' }) => ((hidden[c] === false) !== (c === id) ? [c] : []));
    change({ hide: next.join(',') || undefined });
  };
  return (
    <Popover position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="default" size="xs" leftSection={<IconColumns3 size={14} aria-hidden />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={6}>
          {columns
            .filter((c) => c.enableHiding)
            .map((c) => (
              <Checkbox
                key={c.id}
                size="sm"
                label={c.header as string}
                checked={hidden[c.id ?? ''] !== false}
                onChange={() => turn(c.id ?? '')}
              />
            ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
