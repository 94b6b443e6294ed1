import type { Answer, Ask } from './check.worker';
import type { Schema } from './compose';
import { lineOf, type Mark } from './mark';

// Longer than any Compose file that a person writes takes.
const patience = 4_000;

/** A text that is to be checked. */
export interface Task {
  text: string;
  compose: boolean;
}

/** Checker checks texts in a worker, one after the other, so that typing stays smooth. Close it. */
export class Checker {
  private worker: Worker | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private id = 0;
  private closed = false;

  constructor(private readonly schema: Schema) {}

  /** check says what is wrong with a text. It never fails: what takes too long is left to the hub. */
  check(task: Task): Promise<Mark[]> {
    const next = this.last.then(() => (this.closed ? [] : this.run(task)));
    this.last = next;
    return next;
  }

  close(): void {
    this.closed = true;
    this.worker?.terminate();
    this.worker = undefined;
  }

  private run(task: Task): Promise<Mark[]> {
    this.worker ??= this.start();
    const worker = this.worker;
    const id = ++this.id;
    return new Promise((resolve) => {
      const end = (marks: Mark[]) => {
        clearTimeout(timer);
        worker.onmessage = null;
        worker.onerror = null;
        resolve(marks);
      };
      const give = (message: string) => {
        worker.terminate();
        this.worker = undefined;
        end([{ from: 0, to: Math.min(1, task.text.length), severity: 'warning', message }]);
      };
      const timer = setTimeout(
        () =>
          give(
            `Its ${lineOf(task.text, task.text.length)} lines are too many to check as you type; the hub checks them.`,
          ),
        patience,
      );
      worker.onmessage = ({ data }: MessageEvent<Answer>) => data.id === id && end(data.marks);
      worker.onerror = () => give('This could not be checked as you type; the hub checks it.');
      const ask: Ask = { id, ...task };
      worker.postMessage(ask);
    });
  }

  private start(): Worker {
    const worker = new Worker(new URL('./check.worker.ts', import.meta.url), { type: 'module' });
    const ask: Ask = { schema: this.schema };
    worker.postMessage(ask);
    return worker;
  }
}
