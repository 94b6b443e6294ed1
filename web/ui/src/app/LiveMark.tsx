import { Badge, Box, Tooltip } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useRouteContext } from '@tanstack/react-router';
import { useLive } from '../api/live';
import { Since } from '../kit/Since';

/** LiveMark shows whether what is on the page keeps itself fresh. */
export function LiveMark() {
  const { live } = useRouteContext({ from: '__root__' });
  const state = useLive(live);
  if (state === 'lost') {
    return (
      <Tooltip
        label="The stream of changes from the hub is lost. What you see may be old; the console goes on trying."
        multiline
        maw={300}
      >
        <Badge
          color="red.8"
          variant="filled"
          role="status"
          data-live="lost"
          style={{ flexShrink: 0, textTransform: 'none' }}
          leftSection={<IconPlugConnectedX size={14} aria-hidden />}
        >
          Not live since <Since at={live.lostAt / 1000} />
        </Badge>
      </Tooltip>
    );
  }
  const word = state === 'live' ? 'Live: changes show by themselves' : 'Connecting to the hub';
  return (
    <Tooltip label={word}>
      <Box
        role="status"
        aria-label={word}
        data-live={state}
        w={10}
        h={10}
        bg={state === 'live' ? 'green.6' : 'gray.5'}
        style={{ borderRadius: '50%', flexShrink: 0 }}
      />
    </Tooltip>
  );
}
