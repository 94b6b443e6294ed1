import { Page } from '../../kit/Page';

export function Device() {
  return <Page title="Device">Not here yet.</Page>;
}
