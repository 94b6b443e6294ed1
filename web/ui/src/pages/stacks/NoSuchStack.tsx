import { IconStack2 } from '@tabler/icons-react';
import { Empty } from '../../kit/Empty';
import { LinkButton } from '../../kit/links';
import { Page } from '../../kit/Page';

/** NoSuchStack stands where the address names a stack that is not there. */
export function NoSuchStack({ name }: { name: string }) {
  return (
    <Page title="No such stack">
      <Empty icon={IconStack2} title={`No stack is “${name.slice(0, 200)}”`}>
        It may have been removed, or its address was cut when it was sent. A stack keeps its name as long as it is
        there.
        <br />
        <LinkButton to="/stacks" mt="md">
          Look at all stacks
        </LinkButton>
      </Empty>
    </Page>
  );
}
