import { Button, Grid, Paper, Skeleton, Text } from '@mantine/core';
import { IconPlus, IconSitemap } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { groupsQuery, profilesQuery } from '../../api/queries';
import { May } from '../../app/May';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Page } from '../../kit/Page';
import { usePhone } from '../../kit/usePhone';
import { GroupDetail } from './GroupDetail';
import { GroupTree } from './GroupTree';
import { NewGroup } from './NewGroup';
import { TrySelector } from './TrySelector';

/** Groups is the tree of groups, with what each gives to the devices below it. */
export function Groups() {
  const { path, selector } = useSearch({ from: '/inside/groups' });
  const navigate = useNavigate({ from: '/groups' });
  const phone = usePhone();
  const { data, error, refetch } = useQuery({ ...groupsQuery, placeholderData: keepPreviousData });
  const { data: profiles } = useQuery(profilesQuery);
  const [below, setBelow] = useState<string>();
  const groups = data?.items ?? [];
  // A phone shows the tree or a group, a desk both.
  const shown = path ?? (phone ? undefined : '');
  const group = groups.find((g) => g.path === shown);
  const select = (p: string | undefined) => navigate({ search: (s) => ({ ...s, path: p }) });
  const tree = (
    <Paper withBorder p="xs">
      <GroupTree groups={groups} selected={shown} select={select} />
      {groups.length === 1 && (
        <Text size="sm" c="dimmed" p="xs">
          There is no group yet. Groups give labels and settings to all devices below them; make one, or name one when
          you approve a device.
        </Text>
      )}
    </Paper>
  );
  const detail = group ? (
    <GroupDetail
      key={group.path}
      group={group}
      groups={groups}
      profiles={profiles?.items ?? []}
      addBelow={() => setBelow(group.path)}
      removed={() => navigate({ search: (s) => ({ ...s, path: undefined }), ignoreBlocker: true })}
    />
  ) : (
    data &&
    shown !== undefined && (
      <Paper withBorder>
        <Empty icon={IconSitemap} title="No such group">
          There is no group {shown}. It may have been removed.
        </Empty>
      </Paper>
    )
  );
  return (
    <Page
      title="Groups"
      about={
        phone && shown !== undefined ? (
          <LinkAnchor to="/groups" size="sm">
            All groups
          </LinkAnchor>
        ) : (
          'What a group says, labels and settings, holds for all devices below it; the nearest group first.'
        )
      }
      actions={
        <May operation="groups.change">
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setBelow('')}>
            New group
          </Button>
        </May>
      }
    >
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={300} />}
      {data && (
        <Grid gap="md">
          {(!phone || shown === undefined) && <Grid.Col span={{ base: 12, sm: 5 }}>{tree}</Grid.Col>}
          {shown !== undefined && <Grid.Col span={{ base: 12, sm: 7 }}>{detail}</Grid.Col>}
        </Grid>
      )}
      <TrySelector
        selector={selector}
        change={(text) => navigate({ search: (s) => ({ ...s, selector: text }), replace: true })}
      />
      <NewGroup
        below={below}
        close={() => setBelow(undefined)}
        made={(p) => {
          setBelow(undefined);
          void select(p);
        }}
      />
    </Page>
  );
}
