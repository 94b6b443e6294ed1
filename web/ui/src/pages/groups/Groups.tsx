import { Page } from '../../kit/Page';

export function Groups() {
  return <Page title="Groups">Not here yet.</Page>;
}
