import { Page } from '../../kit/Page';

export function Settings() {
  return <Page title="Settings">Not here yet.</Page>;
}
