import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { LinkAnchor } from '../../kit/links';
import { namesMost, namesQuery } from './queries';
import type { Thing } from './words';

/** About names what something happened to, with a link where it has a page. */
export function About({ thing }: { thing: Thing }) {
  const { data: names } = useQuery(namesQuery);
  const { kind, id } = thing;
  if (id === '') return <>{kind}</>;
  // A device that waits, or was removed, has no page.
  const known = names && (names.has(id) || names.size >= namesMost);
  if (kind === 'device' && known) {
    return (
      <LinkAnchor to="/devices/$device" params={{ device: id }} size="sm" underline="always" className="fs-text">
        {names?.get(id) ?? `device ${id}`}
      </LinkAnchor>
    );
  }
  if (kind === 'stack') {
    return (
      <LinkAnchor to="/stacks/$stack" params={{ stack: id }} size="sm" underline="always" className="fs-text">
        stack {id}
      </LinkAnchor>
    );
  }
  if (kind === 'group') {
    return (
      <LinkAnchor
        to="/groups"
        search={{ path: id.replace(/^\//, '') }}
        size="sm"
        underline="always"
        className="fs-text"
      >
        group {id}
      </LinkAnchor>
    );
  }
  return (
    <Text span size="sm" className="fs-text">
      {kind === 'key' ? 'edge key' : kind} {id}
    </Text>
  );
}
