import { Page } from '../../kit/Page';

export function Stack() {
  return <Page title="Stack">Not here yet.</Page>;
}
