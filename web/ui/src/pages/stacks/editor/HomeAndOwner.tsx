import { NativeSelect, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { GroupField } from '../../../kit/PlaceFields';
import { teamsQuery } from '../../people/teams';
import { type Owned, wrongOwner } from './owner';

interface Settings extends Owned {
  readonly group: string;
}

interface Props {
  settings: Settings;
  change: (part: Partial<Settings>) => void;
  /** What it is. */
  thing?: string;
  /** It is there already. */
  made: boolean;
  /** What is missing is said too, not only what is wrong. */
  asked: boolean;
}

/** HomeAndOwner chooses where a stack or a job is at home, and who reaches it whose role reaches only what is shared with them. */
export function HomeAndOwner({ settings, change, thing = 'stack', made, asked }: Props) {
  const { data } = useQuery(teamsQuery);
  const teams = (data?.items ?? []).map((t) => t.name);
  const known = settings.team === '' || teams.includes(settings.team) ? teams : [...teams, settings.team];
  const mine = settings.visibility === 'private' && settings.account;
  return (
    <Stack gap={6}>
      <GroupField
        label="Home group"
        description={`Only devices in it or below get the ${thing}. Empty: the root`}
        value={settings.group}
        onChange={(group) => change({ group })}
      />
      <NativeSelect
        label="Who reaches it"
        value={settings.visibility}
        onChange={(e) => change({ visibility: e.currentTarget.value as Settings['visibility'] })}
        data={[
          ...(made ? [] : [{ value: '', label: 'administrators, or you where you may not' }]),
          { value: 'administrators', label: 'administrators' },
          { value: 'private', label: mine ? `private: ${mine}` : 'private: you' },
          { value: 'team', label: 'a team' },
          { value: 'public', label: 'public: everybody with a role there' },
        ]}
      />
      {settings.visibility === 'team' && (
        <NativeSelect
          label="Team"
          value={settings.team}
          error={asked && wrongOwner(settings)}
          onChange={(e) => change({ team: e.currentTarget.value })}
          data={[{ value: '', label: 'choose' }, ...known]}
        />
      )}
      <Text size="xs" c="dimmed">
        Roles that reach all things of the group reach it in any case.
      </Text>
    </Stack>
  );
}
