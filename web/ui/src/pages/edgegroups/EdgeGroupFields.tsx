import { Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../../api/problem';
import { count } from '../../kit/bytes';
import { DevicesField } from '../../kit/DevicesField';
import type { Fields } from '../../kit/merge';
import { GroupField, wrongGroup } from '../../kit/PlaceFields';
import { bodyOf, homeOf, listed } from './fields';
import { Members } from './Members';
import { edgeGroupPreview, type Member } from './queries';

const shown = 8;

interface Props {
  /** Of the edge group that is edited; empty: it is new. */
  name: string;
  fields: Fields;
  set: (field: string, text: string) => void;
  /** Devices whose names are known already. */
  known: readonly Member[];
  /** What the hub said of a field when it was asked to save. */
  refused: (field: string) => string | undefined;
}

/** EdgeGroupFields is what an edge group is made of, with the devices that it would have as one types. */
export function EdgeGroupFields({ name, fields, set, known, refused }: Props) {
  const [asked] = useDebouncedValue(fields, 250);
  const body = bodyOf(asked);
  const something = body.selector !== '' || body.devices.length > 0;
  const enabled = something && !wrongGroup(body.group);
  const preview = useQuery({
    ...edgeGroupPreview({ name, group: body.group, selector: body.selector, devices: body.devices }),
    enabled,
  });
  const problem = enabled && preview.error ? asProblem(preview.error) : undefined;
  const wrong = (field: string) => refused(field) ?? problem?.field(field);
  const would = enabled && !problem ? preview.data : undefined;
  return (
    <Stack gap="sm">
      <Textarea
        label="What it is for"
        autosize
        maxLength={1000}
        value={fields.description}
        onChange={(e) => set('description', e.currentTarget.value)}
        error={refused('description')}
      />
      <GroupField
        label="Home group"
        description="It has devices of this group, and of those below it, only; empty: of all"
        value={fields.group}
        onChange={(v) => set('group', v)}
        error={wrongGroup(homeOf(fields.group)) ?? wrong('group')}
      />
      <TextInput
        label="Selector"
        description="Devices with these labels, also those that come to have them"
        placeholder="site in (oslo, bergen), env=prod, !spare"
        classNames={{ input: 'fs-code' }}
        maxLength={4000}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        value={fields.selector}
        onChange={(e) => set('selector', e.currentTarget.value)}
        error={wrong('selector')}
      />
      <DevicesField
        label="Listed devices"
        description="In it whatever their labels are"
        value={listed(fields)}
        known={known}
        change={(ids) => set('devices', ids.join('\n'))}
        error={wrong('devices')}
      />
      <div aria-live="polite">
        <Text size="sm" fw={600}>
          {!something && 'Nobody yet: write a selector, or list devices.'}
          {would &&
            (would.count === 0
              ? 'No device fits now'
              : `${count(would.count, 'device')} ${would.count === 1 ? 'fits' : 'fit'}${would.count > shown ? `, the first ${shown} are:` : ''}`)}
        </Text>
        {would && <Members devices={would.items.slice(0, shown)} label="Devices that fit" plain />}
      </div>
    </Stack>
  );
}
