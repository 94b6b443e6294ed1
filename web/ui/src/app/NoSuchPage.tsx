import { Box, Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Empty } from '../kit/Empty';
import { Page } from '../kit/Page';

export function NoSuchPage() {
  return (
    <Box component="main" p="lg">
      <Page title="No such page">
        <Empty icon={IconMapOff} title="Nothing is at this address">
          It may have been mistyped, or cut when it was sent.
          <br />
          <Button component={Link} to="/fleet" mt="md">
            Go to the fleet
          </Button>
        </Empty>
      </Page>
    </Box>
  );
}
