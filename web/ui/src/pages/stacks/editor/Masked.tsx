import { Alert, Text } from '@mantine/core';
import { IconEyeOff } from '@tabler/icons-react';

/** Masked tells that values in files are hidden, and what follows from that. */
export function Masked() {
  return (
    <Alert color="yellow" icon={<IconEyeOff aria-hidden />} title="Some values are hidden from you" p="xs" mb="xs">
      <Text size="sm">
        You may not see secrets here: MASKED-BY-FARSHORE stands in their place. Files that have it cannot be deployed.
      </Text>
    </Alert>
  );
}
