import { Page } from '../../kit/Page';

export function Waiting() {
  return <Page title="Waiting">Not here yet.</Page>;
}
