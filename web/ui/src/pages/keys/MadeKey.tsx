import { Alert, Box, Button, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconEyeOff } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { CopyBlock } from '../../kit/Copy';
import { QrCode } from '../../kit/QrCode';

/** MadeKey shows an edge key once, with what to do with it. */
export function MadeKey({ made, done }: { made: Schemas['Key']; done: () => void }) {
  const key = made.edge_key ?? '';
  const run = made.run_commands;
  return (
    <Stack gap="md">
      <Alert color="yellow" icon={<IconEyeOff aria-hidden />} title="Shown this once">
        The hub does not keep the edge key. Copy what you need before you leave this page; if it is lost, remove this
        key and make another. Whoever has it can knock at this hub.
      </Alert>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
        <Stack gap="xs">
          <Title order={2}>Edge key</Title>
          <CopyBlock text={key} label="edge key" />
          <Text size="sm" c="dimmed">
            Paste it into the device’s own page, give it to the agent, or scan it:
          </Text>
          <Box>
            <QrCode text={key} label={`QR code of the edge key ${made.name}`} size={260} />
          </Box>
        </Stack>
        <Stack gap="md">
          {run && (
            <>
              <Stack gap={4}>
                <Title order={2}>In a container</Title>
                <Text size="sm">As root on a device with a Docker Engine:</Text>
                <CopyBlock text={run.container} label="command for a container" />
              </Stack>
              <Stack gap={4}>
                <Title order={2}>As a Linux service</Title>
                <Text size="sm">
                  As root on a device with systemd; <code>farshore-agent</code> and <code>farshore-composer</code> have
                  to be in <code>/usr/local/bin</code>:
                </Text>
                <CopyBlock text={run.service} label="command for a Linux service" />
              </Stack>
            </>
          )}
          {!run && made.run_command && <CopyBlock text={made.run_command} label="command" />}
        </Stack>
      </SimpleGrid>
      <Group gap="xs">
        <Button size="md" onClick={done}>
          I have what I need
        </Button>
        <Button size="md" variant="default" renderRoot={(p) => <Link to="/waiting" {...p} />}>
          To the waiting room
        </Button>
      </Group>
    </Stack>
  );
}
