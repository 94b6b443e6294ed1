import { Anchor, Group, Loader, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { asProblem } from '../../../api/problem';
import { devicesQuery } from '../../../api/queries';
import { count } from '../../../kit/bytes';
import { State } from '../../../kit/State';
import { homeOf, type Settings, wrongSelector } from './draft';
import { EdgeGroupsField } from './EdgeGroupsField';

const shown = 6;

interface Props {
  settings: Settings;
  change: (part: Partial<Settings>) => void;
  asked: boolean;
  /** How many devices are meant by all of it, as the hub said; undefined: not known. */
  total: number | undefined;
}

/** Target chooses the devices, and shows as one types which they are. */
export function Target({ settings, change, asked, total }: Props) {
  const [selector] = useDebouncedValue(settings.everywhere ? '' : settings.selector.trim(), 250);
  const [group] = useDebouncedValue(homeOf(settings), 250);
  const place = { ...(selector ? { selector } : {}), ...(group ? { group } : {}) };
  const enabled = settings.everywhere || selector !== '';
  const { data, error, isFetching } = useQuery({
    ...devicesQuery({ ...place, limit: shown }),
    enabled,
  });
  // Edge groups make fewer of what fits the selector, which the hub counts.
  const narrowed = settings.include.length + settings.exclude.length > 0;
  const found = enabled && !error ? data : undefined;
  return (
    <Stack gap={6}>
      <Radio.Group
        aria-label="Which devices"
        value={settings.everywhere ? 'all' : 'some'}
        onChange={(v) => change(v === 'all' ? { everywhere: true, include: [] } : { everywhere: false })}
      >
        <Group gap="md">
          <Radio value="some" label="Chosen" />
          <Radio value="all" label="All devices" />
        </Group>
      </Radio.Group>
      {settings.everywhere ? (
        <Text size="xs">All devices{group && ` in ${group}`} get it, and each that joins later.</Text>
      ) : (
        <TextInput
          aria-label="Selector"
          placeholder="site=bremen, line in (packing, filling)"
          classNames={{ input: 'fs-code' }}
          value={settings.selector}
          error={(enabled && error && asProblem(error).message) || (asked && wrongSelector(settings))}
          rightSection={isFetching && enabled ? <Loader size={14} /> : undefined}
          onChange={(e) => change({ selector: e.currentTarget.value })}
          maxLength={2000}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
        />
      )}
      {!settings.everywhere && (
        <EdgeGroupsField
          label="Only in one of these edge groups"
          placeholder={settings.include.length === 0 ? 'any device' : ''}
          value={[...settings.include]}
          onChange={(include) => change({ include })}
        />
      )}
      <EdgeGroupsField
        label="And in none of these"
        placeholder={settings.exclude.length === 0 ? 'nobody is left out' : ''}
        value={[...settings.exclude]}
        onChange={(exclude) => change({ exclude })}
      />
      <div aria-live="polite">
        {narrowed && (
          <Text size="sm" fw={600}>
            {total === undefined
              ? 'Check says how many devices that are.'
              : `${count(total, 'device')} in all of that now`}
          </Text>
        )}
        {found && !narrowed && (
          <Text size="sm" fw={600}>
            {found.total === 0
              ? 'No device fits now'
              : `${count(found.total, 'device')} ${found.total === 1 ? 'fits' : 'fit'}`}
          </Text>
        )}
        {!narrowed &&
          found?.items.map((d) => (
            <Group key={d.id} gap="xs" wrap="nowrap" justify="space-between" py={2}>
              <Text size="sm" truncate className="fs-text">
                {d.name}
              </Text>
              <State kind="liveness" state={d.liveness.state} />
            </Group>
          ))}
        {!narrowed && found && found.total > found.items.length && (
          <Anchor
            size="sm"
            display="inline-block"
            py={{ base: 9, sm: 0 }}
            renderRoot={(props) => <Link to="/fleet" search={place} target="_blank" {...props} />}
          >
            All {count(found.total)} in the fleet, in a new tab
          </Anchor>
        )}
        {(narrowed ? total : found?.total) === 0 && (
          <Text size="xs" c="dimmed">
            It may be deployed all the same: devices that fit later get it then.
          </Text>
        )}
      </div>
    </Stack>
  );
}
