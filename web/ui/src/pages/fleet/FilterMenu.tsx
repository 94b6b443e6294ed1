import { Button, Indicator, Popover, Select, Stack, Switch, TextInput } from '@mantine/core';
import { IconFilter } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { groupsQuery, profilesQuery, stacksQuery } from '../../api/queries';
import { lookOf, stages } from '../../kit/states';
import type { FleetSearch } from './filter';

interface Props {
  search: FleetSearch;
  change: (next: Partial<FleetSearch>) => void;
}

/** FilterMenu narrows the list by what a device belongs to. */
export function FilterMenu({ search, change }: Props) {
  const [opened, setOpened] = useState(false);
  const set = (['group', 'mode', 'profile', 'stack', 'stage', 'version', 'trouble'] as const).filter(
    (k) => search[k],
  ).length;
  return (
    <Indicator label={set} size={16} disabled={set === 0}>
      <Popover opened={opened} onChange={setOpened} position="bottom-end" width={280} shadow="md" trapFocus returnFocus>
        <Popover.Target>
          <Button
            variant="default"
            leftSection={<IconFilter size={16} aria-hidden />}
            onClick={() => setOpened(!opened)}
            aria-label={set > 0 ? `Filters, ${set} set` : 'Filters'}
          >
            Filters
          </Button>
        </Popover.Target>
        <Popover.Dropdown>{opened && <Fields search={search} change={change} />}</Popover.Dropdown>
      </Popover>
    </Indicator>
  );
}

function Fields({ search, change }: Props) {
  const groups = useQuery(groupsQuery);
  const profiles = useQuery(profilesQuery);
  const stacks = useQuery(stacksQuery);
  const [version, setVersion] = useState(search.version ?? '');
  useEffect(() => setVersion(search.version ?? ''), [search.version]);
  const pick = (label: string, key: 'group' | 'profile' | 'stack', names: string[] | undefined, none: string) => (
    <Select
      label={label}
      placeholder="any"
      clearable
      searchable
      limit={100}
      nothingFoundMessage={none}
      comboboxProps={{ withinPortal: false }}
      data={[...new Set([...(names ?? []), ...(search[key] ? [search[key]] : [])])]}
      value={search[key] ?? null}
      onChange={(v) => change({ [key]: v ?? undefined })}
    />
  );
  return (
    <Stack gap="xs">
      <Switch
        label="Only what is in trouble"
        description="Late, overdue, or with a failed stack"
        checked={search.trouble ?? false}
        onChange={(e) => change({ trouble: e.currentTarget.checked || undefined })}
      />
      {pick(
        'Group, and what is below it',
        'group',
        groups.data?.items.map((g) => g.path).filter((p) => p !== ''),
        'No such group',
      )}
      <Select
        label="Mode"
        placeholder="any"
        clearable
        comboboxProps={{ withinPortal: false }}
        data={['async', 'standard']}
        value={search.mode ?? null}
        onChange={(v) => change({ mode: v === 'async' || v === 'standard' ? v : undefined })}
      />
      {pick(
        'Link profile',
        'profile',
        profiles.data?.items.map((p) => p.name),
        'No such profile',
      )}
      {pick(
        'Stack it shall have',
        'stack',
        stacks.data?.items.map((s) => s.name),
        'No such stack',
      )}
      <Select
        label="Budget of this cycle"
        placeholder="any"
        clearable
        comboboxProps={{ withinPortal: false }}
        data={stages.map((s) => ({ value: s, label: lookOf('spending', s).word }))}
        value={search.stage ?? null}
        onChange={(v) => change({ stage: stages.find((s) => s === v) })}
      />
      <form
        onSubmit={(e) => {
          e.preventDefault();
          change({ version: version.trim() || undefined });
        }}
      >
        <TextInput
          label="Version of the agent"
          placeholder="any"
          value={version}
          maxLength={100}
          onChange={(e) => setVersion(e.currentTarget.value)}
          onBlur={() => change({ version: version.trim() || undefined })}
        />
      </form>
    </Stack>
  );
}
