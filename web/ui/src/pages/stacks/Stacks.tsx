import { Page } from '../../kit/Page';

export function Stacks() {
  return <Page title="Stacks">Not here yet.</Page>;
}
