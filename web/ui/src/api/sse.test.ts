import { describe, expect, it } from 'vitest';
import { Reader } from './sse';

describe('Reader', () => {
  it('gives messages however the stream is cut', () => {
    const stream = ': the stream\n\nid: 7\ndata: {"a":1}\n\n:\n\nevent: gap\nid: 9\ndata: x\ndata:y\n\n';
    const whole = [
      { id: '7', event: 'message', data: '{"a":1}' },
      { id: '9', event: 'gap', data: 'x\ny' },
    ];
    for (let at = 0; at <= stream.length; at++) {
      const r = new Reader();
      expect([...r.feed(stream.slice(0, at)), ...r.feed(stream.slice(at))]).toEqual(whole);
    }
  });

  it('takes carriage returns for ends of lines', () => {
    const r = new Reader();
    expect([...r.feed('id: 1\r'), ...r.feed('\ndata: a\r\n\r\n')]).toEqual([{ id: '1', event: 'message', data: 'a' }]);
  });
});
