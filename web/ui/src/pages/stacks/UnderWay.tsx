import { Alert, Radio, Stack, Text } from '@mantine/core';
import { IconStairsUp } from '@tabler/icons-react';
import type { Schemas } from '../../api/client';

/** During is what becomes of a new rollout while one is under way; '': nobody has said. */
export type During = '' | 'replace' | 'queue';

interface Props {
  /** The rollout that is under way; undefined: one is, and nothing more is known of it. */
  rollout: Schemas['Rollout'] | undefined;
  value: During;
  change: (during: During) => void;
}

/** UnderWay asks whether a new rollout replaces the one that is under way, or waits for it. */
export function UnderWay({ rollout: r, value, change }: Props) {
  const other = r ? `Rollout ${r.number} to version ${r.version}` : 'A rollout of this stack';
  return (
    <Alert color="yellow" p="xs" icon={<IconStairsUp aria-hidden />} title={`${other} is under way`}>
      <Radio.Group
        aria-label="While a rollout is under way"
        value={value}
        onChange={(v) => change(v === 'replace' ? 'replace' : 'queue')}
      >
        <Stack gap="xs">
          <Radio
            value="replace"
            label="Replace it"
            description="It ends where it is. Devices that have its version get this one in their turn."
          />
          <Radio
            value="queue"
            label="Wait for it"
            description="This one begins by itself when that one is over, or only waits for devices that cannot change now."
          />
        </Stack>
      </Radio.Group>
      {r?.phase === 'paused' && value === 'queue' && (
        <Text size="sm" mt="xs">
          That one is paused: somebody has to continue or abort it first.
        </Text>
      )}
    </Alert>
  );
}
