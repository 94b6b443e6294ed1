import { Code, Text } from '@mantine/core';
import { count } from '../../../kit/bytes';
import { LinkAnchor } from '../../../kit/links';
import type { FleetSearch } from '../filter';

interface Props {
  n: number;
  /** Others have a position. */
  some: boolean;
  search: FleetSearch;
}

/** Without says how many devices the map cannot show, and how to give them a position. */
export function Without({ n, some, search }: Props) {
  if (n === 0) return null;
  const selector = [search.selector, '!farshore.io/lat'].filter(Boolean).join(',');
  return (
    <Text size="sm" c="dimmed">
      <LinkAnchor to="/fleet" search={{ ...search, view: undefined, selector }} inherit>
        {count(n, 'device')} without a position
      </LinkAnchor>
      . To place a device, give it, its group or its edge key the labels <Code>farshore.io/lat</Code> and{' '}
      <Code>farshore.io/lon</Code> in decimal degrees: <Code>farshore.io/lat=53.08</Code>,{' '}
      <Code>farshore.io/lon=8.80</Code>.{!some && ' Nothing that fits has one yet.'}
    </Text>
  );
}
