import { Group, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../../api/problem';
import { devicesQuery } from '../../api/queries';
import { count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { LinkAnchor, LinkButton } from '../../kit/links';
import { SearchField } from '../../kit/SearchField';
import { State } from '../../kit/State';

const first = 20;

interface Props {
  selector: string | undefined;
  change: (selector: string | undefined) => void;
}

/** TrySelector shows which devices a selector names, as one types it. */
export function TrySelector({ selector, change }: Props) {
  const { data, error, refetch } = useQuery({
    ...devicesQuery({ selector, limit: first }),
    enabled: selector !== undefined,
  });
  const refused = error ? asProblem(error) : undefined;
  const wrong = refused && [400, 422].includes(refused.status) ? refused.message : undefined;
  const found = selector === undefined || wrong ? undefined : data;
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }}>
      <Stack gap="sm">
        <div>
          <Title order={2}>Try a selector</Title>
          <Text size="sm" c="dimmed">
            Stacks and lists name devices by their labels. Facts such as farshore.io/arch and farshore.io/group are
            labels too.
          </Text>
        </div>
        <SearchField
          label="Selector"
          placeholder="site=oslo, line in (a, b), !spare"
          size="md"
          className="fs-code"
          maxLength={2000}
          autoCapitalize="none"
          value={selector}
          search={change}
          error={wrong}
        />
        {!wrong && <Failure error={error} retry={refetch} />}
        <div aria-live="polite" style={{ minHeight: 24 }}>
          {found && (
            <Group gap="sm">
              <Text size="sm" fw={600}>
                {found.total === 0
                  ? 'No device fits'
                  : `${count(found.total, 'device')} ${found.total === 1 ? 'fits' : 'fit'}`}
                {found.total > first && `, the first ${first} are:`}
              </Text>
              {found.total > 0 && (
                <LinkButton to="/fleet" search={{ selector }} variant="subtle" size="compact-sm">
                  Show in the fleet
                </LinkButton>
              )}
            </Group>
          )}
        </div>
        {found && found.total > 0 && (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} spacing="xs" verticalSpacing={4}>
            {found.items.map((d) => (
              <Group key={d.id} gap="xs" wrap="nowrap" mih={32}>
                <State kind="liveness" state={d.liveness.state} />
                <LinkAnchor to="/devices/$device" params={{ device: d.id }} size="sm" className="fs-text">
                  {d.name}
                </LinkAnchor>
              </Group>
            ))}
          </SimpleGrid>
        )}
      </Stack>
    </Paper>
  );
}
