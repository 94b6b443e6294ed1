import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem } from '../api/problem';
import type { Difference } from './Conflict';
import { differences, type Fields, onTop } from './merge';

interface Options<T> {
  /** What is there, as it was read last. */
  thing: T;
  etagOf: (thing: T) => string;
  fieldsOf: (thing: T) => Fields;
  /** What the fields are called. */
  names: Fields;
  /** Saves where the etag still holds, and gives what is there then. */
  save: (fields: Fields, etag: string) => Promise<T>;
  /** Reads the thing anew. */
  read: () => Promise<T>;
  saved?: (now: T, before: Fields) => void;
}

export interface Edit {
  fields: Fields;
  set: (field: string, text: string) => void;
  /** Something was typed that is not saved. */
  dirty: boolean;
  save: () => void;
  reset: () => void;
  busy: boolean;
  /** Why it was not saved, but for a conflict. */
  error: unknown;
  /** Somebody else was first: what to give to Conflict. */
  conflict: { error: unknown; differences: Difference[]; takeMine: () => void; takeTheirs: () => void } | undefined;
}

/**
 * useEdit holds what is typed into a form of text fields. A refresh of the thing changes what was not typed into; what
 * was typed stays until it is saved or given up, and is never saved over what somebody else did without a word.
 */
export function useEdit<T>(o: Options<T>): Edit {
  const [base, setBase] = useState({ etag: o.etagOf(o.thing), fields: o.fieldsOf(o.thing) });
  const [typed, setTyped] = useState<Fields>({});
  const fields = { ...base.fields, ...typed };
  const dirty = differences(fields, base.fields, {}).length > 0;
  // Compared with what was given before: what was just saved is newer than what is still given.
  const [given, setGiven] = useState(base.etag);
  const gives = o.etagOf(o.thing);
  if (gives !== given) {
    setGiven(gives);
    if (!dirty) {
      setBase({ etag: gives, fields: o.fieldsOf(o.thing) });
      setTyped({});
    }
  }
  const run = useMutation({
    mutationFn: async (from: { etag: string; fields: Fields; before: Fields }) => {
      try {
        return { now: await o.save(from.fields, from.etag), before: from.before };
      } catch (e) {
        if (!changed(e)) throw e;
        throw new Changed(asProblem(e), await o.read());
      }
    },
    onSuccess: ({ now, before }) => {
      setBase({ etag: o.etagOf(now), fields: o.fieldsOf(now) });
      setTyped({});
      o.saved?.(now, before);
    },
  });
  const lost = run.error instanceof Changed ? run.error : undefined;
  const theirs = lost?.theirs as T | undefined;
  const mine = theirs && onTop(base.fields, fields, o.fieldsOf(theirs));
  return {
    fields,
    dirty,
    set: (field, text) => setTyped((t) => ({ ...t, [field]: text })),
    save: () => run.mutate({ etag: base.etag, fields, before: base.fields }),
    reset: () => {
      setBase({ etag: gives, fields: o.fieldsOf(o.thing) });
      setTyped({});
      run.reset();
    },
    busy: run.isPending,
    error: lost ? undefined : run.error,
    conflict:
      lost && theirs && mine
        ? {
            error: lost.problem,
            differences: differences(mine, o.fieldsOf(theirs), o.names),
            takeMine: () => {
              setBase({ etag: o.etagOf(theirs), fields: o.fieldsOf(theirs) });
              setTyped(mine);
              run.mutate({ etag: o.etagOf(theirs), fields: mine, before: o.fieldsOf(theirs) });
            },
            takeTheirs: () => {
              setBase({ etag: o.etagOf(theirs), fields: o.fieldsOf(theirs) });
              setTyped({});
              run.reset();
            },
          }
        : undefined,
  };
}

/** Changed is a refusal of the hub, with what is there now. */
class Changed extends Error {
  constructor(
    readonly problem: Error,
    readonly theirs: unknown,
  ) {
    super(problem.message);
  }
}

function changed(error: unknown): boolean {
  const p = asProblem(error);
  return p.status === 412 && p.code === 'changed';
}
