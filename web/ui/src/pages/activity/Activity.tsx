import { Page } from '../../kit/Page';

export function Activity() {
  return <Page title="Activity">Not here yet.</Page>;
}
