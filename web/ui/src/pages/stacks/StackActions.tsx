import { Button, Group, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconPencil } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { stacksQuery } from '../../api/queries';
import { May } from '../../app/May';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { usePhone } from '../../kit/usePhone';
import { DeployDialog } from './DeployDialog';

/** StackActions edit, redeploy and remove a stack. */
export function StackActions({ stack }: { stack: Schemas['Stack'] }) {
  const [asked, setAsked] = useState<'redeploy' | 'remove'>();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const size = usePhone() ? 'md' : 'sm';
  const path = { stack: stack.name };
  const operates = useMay('stacks.operate');
  const removes = useMay('stacks.remove');
  const close = () => setAsked(undefined);
  const remove = async () => {
    await ok(api.DELETE('/api/v1/stacks/{stack}', { params: { path } }));
    notifications.show({ message: `${stack.name} is being removed. Its devices give it up as they are reached.` });
    void cache.invalidateQueries({ queryKey: stacksQuery.queryKey });
    await navigate({ to: '/stacks' });
  };
  return (
    <Group gap="xs">
      {!stack.from_git && (
        <May operation="stacks.apply">
          <Button
            renderRoot={(props) => <Link to="/stacks/$stack/edit" params={path} {...props} />}
            leftSection={<IconPencil size={16} />}
            size={size}
          >
            Edit
          </Button>
        </May>
      )}
      {!stack.removed && (operates || removes) && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" size={size} aria-label="More for this stack" px="xs">
              <IconDots size={18} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {operates && <Menu.Item onClick={() => setAsked('redeploy')}>Redeploy …</Menu.Item>}
            {removes && (
              <Menu.Item color="red" onClick={() => setAsked('remove')}>
                Remove …
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
      {asked === 'redeploy' && <DeployDialog stack={stack} version={stack.deployed ?? stack.version} close={close} />}
      <ConfirmNamed
        opened={asked === 'remove'}
        close={close}
        title={`Remove ${stack.name}?`}
        name={stack.name}
        action="Remove"
        run={remove}
      >
        Its containers are stopped and removed on {count(stack.devices, 'device')}. Devices that are away give it up
        when they come back; until the last has, it is listed as being removed.{' '}
        {stack.remove_volumes ? (
          <b>Its named volumes go too, with all data in them. That cannot be undone.</b>
        ) : (
          'Its named volumes stay on the devices.'
        )}
      </ConfirmNamed>
    </Group>
  );
}
