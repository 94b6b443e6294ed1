import { Skeleton, Stack } from '@mantine/core';
import { IconStairsUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { rolloutsQuery } from './queries';
import { RolloutPanel } from './RolloutPanel';

/** History lists the rollouts of a stack that are kept, the latest first. */
export function History({ stack }: { stack: Schemas['Stack'] }) {
  const { data, error, refetch } = useQuery(rolloutsQuery(stack.name));
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={200} />;
  if (data.items.length === 0) {
    return (
      <Empty icon={IconStairsUp} title="No rollouts yet">
        Each change that reaches devices is a rollout: all at once, or in the batches of the stack’s plan. Deploy a
        version to begin one.
      </Empty>
    );
  }
  return (
    <Stack gap="xs">
      {data.items.map((r) => (
        <RolloutPanel key={r.number} rollout={r} />
      ))}
    </Stack>
  );
}
