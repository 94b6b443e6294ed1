import './editor.css';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { readOnly } from './codemirror';

/** Viewer shows a file, to read. */
export function Viewer({ path, text }: { path: string; text: string }) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const named = EditorView.contentAttributes.of({ 'aria-label': `Text of ${path}`, tabindex: '0' });
    const state = EditorState.create({ doc: text, extensions: [readOnly(path), named] });
    const view = new EditorView({ state, parent: frame.current as HTMLElement });
    return () => view.destroy();
  }, [path, text]);
  return <div ref={frame} className="fs-diff" />;
}
