import type { Schemas } from '../../api/client';

interface Word {
  label: string;
  /** What it is aimed at; undefined: the device itself. */
  target?: string;
}

/** The commands that make sense for many devices at once. What destroys is given to one device, on its page. */
export const commandWords = {
  snapshot: { label: 'Send a snapshot now' },
  'container.restart': { label: 'Restart a container', target: 'Name of the container' },
  'container.start': { label: 'Start a container', target: 'Name of the container' },
  'container.stop': { label: 'Stop a container', target: 'Name of the container' },
  'stack.redeploy': { label: 'Deploy a stack again', target: 'Name of the stack' },
} as const satisfies Record<string, Word>;

export type CommandWord = keyof typeof commandWords;

/** targetOf says what a command is aimed at; undefined: the device itself. */
export function targetOf(word: CommandWord): string | undefined {
  return (commandWords[word] as Word).target;
}

/** commandOf makes the command, as the API takes it. */
export function commandOf(word: CommandWord, target: string): Schemas['NewCommand'] {
  return targetOf(word) ? { kind: word, target: target.trim() } : { kind: word };
}
