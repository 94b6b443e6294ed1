import { Button, Modal } from '@mantine/core';
import { IconBrandGit } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { May } from '../../app/May';

const SourceForm = lazy(() => import('./SourceForm').then((m) => ({ default: m.SourceForm })));

/** NewFromGit makes a stack that comes from a repository. */
export function NewFromGit({ size }: { size: string }) {
  const [opened, setOpened] = useState(false);
  const navigate = useNavigate();
  return (
    <May operation="stacks.source">
      <Button variant="default" size={size} leftSection={<IconBrandGit size={16} />} onClick={() => setOpened(true)}>
        From Git
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title="A stack from Git" size="lg">
        <Suspense>
          <SourceForm
            close={() => setOpened(false)}
            saved={async (s) => {
              setOpened(false);
              await navigate({ to: '/stacks/$stack', params: { stack: s.stack } });
            }}
          />
        </Suspense>
      </Modal>
    </May>
  );
}
