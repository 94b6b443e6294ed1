import { Page } from '../../kit/Page';

export function Fleet() {
  return <Page title="Fleet">Not here yet.</Page>;
}
