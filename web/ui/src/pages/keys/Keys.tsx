import { Page } from '../../kit/Page';

export function Keys() {
  return <Page title="Keys">Not here yet.</Page>;
}
