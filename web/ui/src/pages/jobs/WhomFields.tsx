import { Group, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../../api/problem';
import { devicesQuery } from '../../api/queries';
import { count } from '../../kit/bytes';
import { DevicesField } from '../../kit/DevicesField';
import { EdgeGroupsField } from '../stacks/editor/EdgeGroupsField';
import { HomeAndOwner } from '../stacks/editor/HomeAndOwner';
import type { DefinitionForm, Wrong } from './definition';
import type { Job } from './queries';

interface Props {
  form: DefinitionForm;
  set: (part: Partial<DefinitionForm>) => void;
  wrong: Wrong<DefinitionForm>;
  /** What is missing is said too, not only what is wrong. */
  asked: boolean;
  base: Job | undefined;
}

/** WhomFields take which devices a job is for, where it is at home, and whose it is. */
export function WhomFields({ form: f, set, wrong, asked, base }: Props) {
  const known = Object.entries(base?.device_names ?? {}).map(([id, name]) => ({ id, name }));
  return (
    <Stack gap="sm">
      <HomeAndOwner settings={f} change={set} thing="job" made={base !== undefined} asked={asked} />
      <Radio.Group
        aria-label="Which devices"
        value={f.everywhere ? 'all' : 'some'}
        onChange={(v) => set({ everywhere: v === 'all' })}
      >
        <Group gap="md">
          <Radio value="some" label="Chosen devices" />
          <Radio value="all" label={f.group.trim() ? 'All of the home group' : 'All devices'} />
        </Group>
      </Radio.Group>
      {!f.everywhere && (
        <>
          <DevicesField
            label="Devices by name"
            description="Beside those that the rest fits"
            value={f.devices}
            change={(devices) => set({ devices })}
            known={known}
            error={wrong.devices}
          />
          <TextInput
            label="Selector"
            description="Devices with these labels, also those that come to have them"
            placeholder="site=bremen, line in (packing, filling)"
            classNames={{ input: 'fs-code' }}
            maxLength={2000}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="none"
            value={f.selector}
            error={wrong.selector}
            onChange={(e) => set({ selector: e.currentTarget.value })}
          />
          <EdgeGroupsField
            label="Only in one of these edge groups"
            placeholder={f.include.length === 0 ? 'any device' : ''}
            value={[...f.include]}
            onChange={(include) => set({ include })}
          />
        </>
      )}
      <EdgeGroupsField
        label="And in none of these"
        placeholder={f.exclude.length === 0 ? 'nobody is left out' : ''}
        value={[...f.exclude]}
        onChange={(exclude) => set({ exclude })}
      />
      <Fits form={f} />
      {base?.unseen_edge_groups ? (
        <Text size="xs" c="dimmed">
          It names {count(base.unseen_edge_groups, 'more edge group')} that you do not see, which stay.
        </Text>
      ) : null}
    </Stack>
  );
}

/** Fits says how many devices are meant now, as far as edge groups leave that simple. */
function Fits({ form: f }: { form: DefinitionForm }) {
  const [selector] = useDebouncedValue(f.everywhere ? '' : f.selector.trim(), 250);
  const [group] = useDebouncedValue(f.group.trim(), 250);
  const narrowed = f.exclude.length + (f.everywhere ? 0 : f.include.length) > 0;
  const enabled = (f.everywhere || selector !== '') && !narrowed;
  const query = { ...(selector && { selector }), ...(group && { group }), limit: 1 };
  const { data, error } = useQuery({ ...devicesQuery(query), enabled });
  const named = !f.everywhere && f.devices.length > 0;
  return (
    <Text size="sm" fw={600} aria-live="polite" className={enabled && error ? 'fs-warning' : undefined}>
      {enabled && error && asProblem(error).message}
      {enabled && !error && data && `${count(data.total, 'device')} ${data.total === 1 ? 'fits' : 'fit'} now`}
      {enabled && !error && data && named && `, and ${count(f.devices.length)} by name`}
      {!enabled && !narrowed && named && `${count(f.devices.length, 'device')} by name`}
    </Text>
  );
}
