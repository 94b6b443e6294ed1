import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { composeSchemaQuery } from '../queries';
import { Checker } from './Checker';
import { type Files, isYaml, mainFile } from './files';
import type { Mark } from './mark';

/** Marks are what is to be said about a text. */
export interface Marks {
  of: string;
  compose: boolean;
  marks: readonly Mark[];
}

// Typing goes on undisturbed for this long.
const pause = 250;
const most = 2 << 20;

/** isCompose tells whether a file is read as a Compose file; others in YAML may be anything. */
function isCompose(path: string, files: Files): boolean {
  return path === mainFile(files) || /^(docker-)?compose\.[\w.-]*ya?ml$/.test(path);
}

/** useMarks checks YAML files as they change, in a worker, and gives what is wrong with each by path. */
export function useMarks(files: Files): ReadonlyMap<string, Marks> {
  const { data: schema } = useQuery(composeSchemaQuery);
  const checker = useRef<Checker>(undefined);
  const [all, setAll] = useState<ReadonlyMap<string, Marks>>(new Map());
  const known = useRef(all);
  known.current = all;

  useEffect(() => {
    if (!schema) return;
    const made = new Checker(schema);
    checker.current = made;
    return () => {
      made.close();
      checker.current = undefined;
    };
  }, [schema]);

  useEffect(() => {
    if (!schema) return;
    let over = false;
    const look = async () => {
      const next = new Map<string, Marks>();
      for (const [path, file] of files) {
        if (typeof file.content !== 'string' || !isYaml(path)) continue;
        const compose = isCompose(path, files);
        const before = known.current.get(path);
        if (before?.of === file.content && before.compose === compose) {
          next.set(path, before);
          continue;
        }
        const marks = await check(checker.current, file.content, compose);
        if (over) return;
        next.set(path, { of: file.content, compose, marks });
      }
      if (!over) setAll(next);
    };
    const timer = setTimeout(look, pause);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [files, schema]);

  return all;
}

async function check(checker: Checker | undefined, text: string, compose: boolean): Promise<readonly Mark[]> {
  if (text.length > most) {
    const message = 'It is too large to be checked as you type; the hub checks it.';
    return compose ? [{ from: 0, to: 1, severity: 'warning', message }] : [];
  }
  return (await checker?.check({ text, compose })) ?? [];
}
