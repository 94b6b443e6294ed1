import './editor.css';
import { historyField } from '@codemirror/commands';
import { setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { editable } from './codemirror';
import type { Marks } from './useMarks';

// Typing reaches the page after a pause this long, or when something needs it at once.
const pause = 120;

/** Ways to the editor for what is around it. */
export interface EditorHandle {
  /** flush passes on at once what was typed last. */
  flush: () => void;
  /** goTo shows an offset and puts the cursor there. */
  goTo: (offset: number) => void;
}

/** Kept is an editor's state as JSON, and the text that it is of. */
export interface Kept {
  text: string;
  state: unknown;
}

const keptFields = { history: historyField };

interface Props {
  path: string;
  text: string;
  marks: Marks | undefined;
  height: string;
  change: (text: string) => void;
  handle: { current: EditorHandle | undefined };
  /** What editors of files had when they were left, so that each keeps its history and its place. */
  kept: Map<string, Kept>;
}

/** CodeEditor edits one file. It is mounted anew for another one: give it the path as its key. */
export function CodeEditor({ path, text, marks, height, change, handle, kept }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ change, text });
  latest.current.change = change;

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      if (timer === undefined || !view.current) return;
      clearTimeout(timer);
      timer = undefined;
      latest.current.text = view.current.state.doc.toString();
      latest.current.change(latest.current.text);
    };
    const extensions = [
      editable(path),
      EditorView.contentAttributes.of({
        'aria-label': `Text of ${path}`,
        'aria-describedby': 'fs-editor-keys',
        tabindex: '0',
      }),
      EditorView.updateListener.of((u) => {
        if (!u.docChanged || u.transactions.some((t) => t.isUserEvent('fs.outside'))) return;
        clearTimeout(timer);
        timer = setTimeout(flush, pause);
      }),
      EditorView.domEventHandlers({ blur: () => flush() }),
    ];
    const before = kept.get(path);
    const state =
      before?.text === latest.current.text
        ? EditorState.fromJSON(before.state, { extensions }, keptFields)
        : EditorState.create({ doc: latest.current.text, extensions });
    const v = new EditorView({ state, parent: frame.current as HTMLElement });
    view.current = v;
    handle.current = {
      flush,
      goTo: (offset) => {
        const at = Math.min(offset, v.state.doc.length);
        v.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
        v.focus();
      },
    };
    return () => {
      flush();
      kept.set(path, { text: latest.current.text, state: v.state.toJSON(keptFields) });
      handle.current = undefined;
      view.current = undefined;
      v.destroy();
    };
  }, [path, handle, kept]);

  useEffect(() => {
    // Changed by something else than typing, such as taking over the version of somebody else.
    const v = view.current;
    if (!v || text === latest.current.text) return;
    latest.current.text = text;
    v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: text }, userEvent: 'fs.outside' });
  }, [text]);

  useEffect(() => {
    const v = view.current;
    if (!v) return;
    const end = v.state.doc.length;
    // Marks of a text that was typed on since are replaced in a moment.
    if (marks && marks.of.length !== end) return;
    const diagnostics = (marks?.marks ?? []).map((m) => ({
      ...m,
      from: Math.min(m.from, end),
      to: Math.min(m.to, end),
    }));
    v.dispatch(setDiagnostics(v.state, diagnostics));
  }, [marks]);

  return <div ref={frame} className="fs-editor" style={{ ['--fs-editor-height' as string]: height }} />;
}
