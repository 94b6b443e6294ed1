import { Skeleton, Stack } from '@mantine/core';
import { IconStairsUp } from '@tabler/icons-react';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkButton } from '../../kit/links';
import { Page } from '../../kit/Page';
import { shownPhase, urgency } from '../../kit/rollout/words';
import { RolloutPanel } from '../stacks/RolloutPanel';

const underWayQuery = queryOptions({
  queryKey: ['rollouts'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/rollouts', { signal })),
});

const urgencyOf = (r: Schemas['Rollout']) => urgency(shownPhase(r.phase, r.approve === true && !r.approved));

/** Rollouts lists the rollouts of all stacks that are under way, what needs a person first. */
export function Rollouts() {
  const { data, error, refetch } = useQuery(underWayQuery);
  const items = [...(data?.items ?? [])].sort(
    (a, b) => urgencyOf(a) - urgencyOf(b) || a.stack.localeCompare(b.stack) || a.number - b.number,
  );
  return (
    <Page
      title="Rollouts"
      about={data ? `${count(items.length, 'rollout')} under way` : 'How new versions of stacks reach devices'}
    >
      <Failure error={error} retry={() => refetch()} />
      {!data && !error && <Skeleton h={240} />}
      {data && items.length === 0 && (
        <Empty icon={IconStairsUp} title="No rollout is under way">
          Stacks with a plan bring new versions to their devices in batches, which are listed here until they are over.
          Earlier ones are on the page of each stack.
          <br />
          <LinkButton to="/stacks" mt="md" variant="default">
            Go to the stacks
          </LinkButton>
        </Empty>
      )}
      <Stack gap="xs">
        {items.map((r) => (
          <RolloutPanel key={`${r.stack} ${r.number}`} rollout={r} named />
        ))}
      </Stack>
    </Page>
  );
}
