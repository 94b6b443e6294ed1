import type { Schema } from './compose';
import type { Mark } from './mark';
import { checkYaml } from './yaml';

/** What a worker is asked: to keep the schema, or to check a text. */
export type Ask = { schema: Schema } | { id: number; text: string; compose: boolean };

/** What it answers. */
export interface Answer {
  id: number;
  marks: Mark[];
}

let schema: Schema | undefined;

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  if ('schema' in data) {
    schema = data.schema;
    return;
  }
  const answer: Answer = { id: data.id, marks: checkYaml(data.text, data.compose ? { schema } : {}) };
  self.postMessage(answer);
};
