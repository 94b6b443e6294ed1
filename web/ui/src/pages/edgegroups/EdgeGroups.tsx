import { Button, Grid, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { IconPlus, IconTags } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Page } from '../../kit/Page';
import { usePhone } from '../../kit/usePhone';
import { EdgeGroupDetail } from './EdgeGroupDetail';
import { NewEdgeGroup } from './NewEdgeGroup';
import { type EdgeGroup, edgeGroupsQuery } from './queries';

/** EdgeGroups lists the named sets of devices that stacks are meant for, and shows one of them. */
export function EdgeGroups() {
  const { name } = useSearch({ from: '/inside/edge-groups' });
  const navigate = useNavigate({ from: '/edge-groups' });
  const phone = usePhone();
  const { data, error, refetch } = useQuery(edgeGroupsQuery);
  const [making, setMaking] = useState(false);
  const one = phone && name !== undefined; // a phone shows the list or one, a desk both
  const make = (
    <May operation="edge-groups.change">
      <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setMaking(true)}>
        New edge group
      </Button>
    </May>
  );
  return (
    <Page
      title="Edge groups"
      about={
        one ? (
          <LinkAnchor to="/edge-groups" size="sm">
            All edge groups
          </LinkAnchor>
        ) : (
          'Sets of devices that stacks are meant for: chosen by labels, by a list, or both.'
        )
      }
      actions={make}
    >
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={300} />}
      {data?.items.length === 0 && name === undefined && (
        <Paper withBorder>
          <Empty icon={IconTags} title="No edge groups yet">
            An edge group gives devices a name together, whatever their place in the tree: all canaries, all in Norway
            with a camera, these five. Make one, by a selector or a list, and choose it as the target of a stack.
          </Empty>
        </Paper>
      )}
      {data && (data.items.length > 0 || name !== undefined) && (
        <Grid gap="md">
          {!one && (
            <Grid.Col span={{ base: 12, sm: name === undefined ? 12 : 5 }}>
              <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Edge groups">
                {data.items.map((g) => (
                  <Item key={g.id} group={g} current={g.name === name} />
                ))}
              </Stack>
            </Grid.Col>
          )}
          {name !== undefined && (
            <Grid.Col span={{ base: 12, sm: 7 }}>
              <EdgeGroupDetail key={name} name={name} removed={() => navigate({ search: {}, ignoreBlocker: true })} />
            </Grid.Col>
          )}
        </Grid>
      )}
      <NewEdgeGroup
        opened={making}
        close={() => setMaking(false)}
        made={(made) => {
          setMaking(false);
          void navigate({ search: { name: made } });
        }}
      />
    </Page>
  );
}

function Item({ group: g, current }: { group: EdgeGroup; current: boolean }) {
  return (
    <Paper
      component="li"
      withBorder
      p="sm"
      style={current ? { borderInlineStart: '3px solid var(--mantine-primary-color-filled)' } : undefined}
    >
      <LinkAnchor
        to="/edge-groups"
        search={{ name: g.name }}
        fw={600}
        className="fs-text"
        aria-current={current || undefined}
      >
        {g.name}
      </LinkAnchor>
      <Text size="sm" className="fs-text">
        {count(g.members, 'device')}
        {g.group && ` of ${g.group}`}
      </Text>
      {g.description && (
        <Text size="sm" className="fs-text">
          {g.description}
        </Text>
      )}
      {g.selector && (
        <Text size="xs" c="dimmed" className="fs-text fs-code">
          {g.selector}
        </Text>
      )}
      {g.listed > 0 && (
        <Text size="xs" c="dimmed">
          {count(g.listed, 'device')} listed
        </Text>
      )}
    </Paper>
  );
}
