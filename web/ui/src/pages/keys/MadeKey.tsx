import { Alert, Box, Button, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconEyeOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useRef } from 'react';
import type { Schemas } from '../../api/client';
import { sessionQuery } from '../../api/queries';
import { CopyBlock } from '../../kit/Copy';
import { Leaving } from '../../kit/Leaving';
import { QrCode } from '../../kit/QrCode';

/** MadeKey shows an edge key once, with what to do with it. */
export function MadeKey({ made, done }: { made: Schemas['Key']; done: () => void }) {
  const key = made.edge_key ?? '';
  const run = made.run_commands;
  const { data: session } = useQuery(sessionQuery);
  const url = session?.hub.url ?? '';
  // Read when one leaves, not when it is shown.
  const taken = useRef(false);
  const take = () => {
    taken.current = true;
  };
  return (
    <Stack gap="md">
      <Leaving dirty={() => !taken.current} title="Leave without the edge key?">
        It is shown this once. Without a copy you need another key.
      </Leaving>
      {onlyHere(url) && (
        <Alert color="orange" icon={<IconAlertTriangle aria-hidden />} title="Good for this machine only">
          The key sends devices to <code>{url}</code>, which other machines cannot reach. For them, start the hub with{' '}
          <code>--public-url</code> and make the key then.
        </Alert>
      )}
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
                <Text size="sm">
                  As root on a device with a Docker Engine. The image is made by <code>make images</code>; the hub’s{' '}
                  <code>--agent-image</code> names that of a registry of yours:
                </Text>
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
        <Button
          size="md"
          onClick={() => {
            take();
            done();
          }}
        >
          I have what I need
        </Button>
        <Button size="md" variant="default" onClick={take} renderRoot={(p) => <Link to="/waiting" {...p} />}>
          To the waiting room
        </Button>
      </Group>
    </Stack>
  );
}

/** onlyHere tells whether an address leads to the machine itself. */
function onlyHere(url: string): boolean {
  return /^https:\/\/(127\.|localhost[:/]|localhost$|\[::1\])/.test(url);
}
